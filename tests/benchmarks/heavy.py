"""How long reads of one ticket take beside callers that do nothing but count.

python -m tests.benchmarks.heavy [--tickets 400000] [--callers 3] [--seconds 10]
"""

import argparse
import asyncio
from itertools import count, repeat

import uvloop

from tests.benchmarks import driver
from tests.benchmarks.operations import ONE
from tests.benchmarks.shared import Server, baton, loaded, percentile_ms, postgres, table

RATE = 100
"""Reads per second."""
COUNTS = 20


def counting(number: int) -> str:
    """A document with searches that no other request shares."""
    fields = (
        f'c{n}: tickets(first: 1, filter: {{search: "Hospital {number}{n}"}}) {{ totalCount }}'
        for n in range(COUNTS)
    )
    return "{ " + " ".join(fields) + " }"


async def count_all_the_time(server: Server) -> None:
    for number in count():
        requests = server.requests(counting(number % 10), repeat({}, 1))
        await driver.flood(server.port, requests, 60, expected=b"")


async def measure(server: Server, tickets: int, callers: int, seconds: float) -> None:
    rows = []
    reads = server.requests(ONE.document, ONE.variables(tickets))
    for name, number in (("alone", 0), (f"beside {callers} callers", callers)):
        tasks = [asyncio.create_task(count_all_the_time(server)) for _ in range(number)]
        await asyncio.sleep(1)
        responses = await driver.pace(server.port, reads, seconds, expected=b'"data":', rate=RATE)
        responses.check(name)
        for task in tasks:
            task.cancel()
        p50, p99, worst = (f"{percentile_ms(responses.latencies_s, p):.1f}" for p in (50, 99, 100))
        rows.append((name, p50, p99, worst, str(len(responses.invalid))))
    table(
        f"{RATE} reads of one ticket per second, {tickets:,} tickets, {COUNTS} counts per request",
        ("", "p50 ms", "p99 ms", "worst ms", "refused"),
        rows,
    )


async def main(tickets: int, callers: int, seconds: float) -> None:
    with postgres() as server:
        async with loaded(server, tickets) as url:
            with baton(url) as running:
                await measure(running, tickets, callers, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=400_000)
    parser.add_argument("--callers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    uvloop.run(main(options.tickets, options.callers, options.seconds))
