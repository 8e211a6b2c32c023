"""Reads with more tickets, longer histories and longer lists."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle, repeat

from tests.benchmarks import data, driver
from tests.benchmarks.operations import LIST, ONE, PAGES, WITH_HISTORY, Operation, Variables
from tests.benchmarks.shared import Options, Server, baton, cpu_s, memory_mb, percentile_ms, table
from tests.databases import migrate_whole, new_database

_LISTS = (1, 10, 100)
_LOAD = 0.6
"""Share of the maximum rate at which latency is measured."""


async def run(options: Options, postgres: str) -> None:
    rows = []
    async with new_database(postgres) as database:
        await migrate_whole(database)
        await data.prepare(database)
        loaded = 0
        with baton(database) as server:
            for tickets in sorted(options.sizes):
                await data.load(database, loaded + 1, tickets)
                loaded = tickets
                rows += [
                    [
                        f"{tickets:,} tickets: {operation.name}",
                        *await _measure(options, server, operation, tickets),
                    ]
                    for operation in (ONE, WITH_HISTORY, LIST, PAGES)
                ]
            for length in data.LONG_HISTORIES:
                operation = replace(WITH_HISTORY, variables=partial(_with_history, length))
                measured = await _measure(options, server, operation, loaded)
                rows.append([f"{loaded:,} tickets: one with a history of {length}", *measured])
            for length in _LISTS:
                operation = replace(LIST, variables=partial(_list_of, length))
                measured = await _measure(options, server, operation, loaded)
                rows.append([f"{loaded:,} tickets: list of {length} with histories", *measured])
            table("Growth", ("", "requests/s", "CPU ms", "at req/s", "p50 ms", "p99 ms"), rows)
            print(f"\nMemory of the server afterwards: {memory_mb(server.pid):.0f} MB.")


def _with_history(length: int, _: int) -> Iterator[Variables]:
    return cycle({"id": f"H{length}-{n}"} for n in range(1, data.LONG_HISTORIES_EACH + 1))


def _list_of(length: int, _: int) -> Iterator[Variables]:
    return repeat({"first": length})


async def _measure(options: Options, server: Server, operation: Operation, tickets: int) -> list[str]:
    variables = operation.variables(tickets)
    requests = server.requests(operation.document, variables)
    seconds = options.seconds
    # The first run warms up.
    for _ in range(2):
        cpu_before = cpu_s(server.pid)
        full = await driver.flood(server.port, requests, seconds, expected=b'"data":')
        full.check(operation.name)
        cpu_ms = (cpu_s(server.pid) - cpu_before) / len(full.latencies_s) * 1e3
    rate = len(full.latencies_s) / full.duration_s
    paced = await driver.pace(server.port, requests, seconds, expected=b'"data":', rate=_LOAD * rate)
    paced.check(operation.name)
    return [
        f"{rate:.0f}",
        f"{cpu_ms:.2f}",
        f"{_LOAD * rate:.0f}",
        f"{percentile_ms(paced.latencies_s, 50):.1f}",
        f"{percentile_ms(paced.latencies_s, 99):.1f}",
    ]
