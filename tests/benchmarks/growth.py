"""What becomes of it when there are more tickets, longer histories, longer lists."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import replace
from functools import partial
from itertools import cycle, repeat
from typing import TYPE_CHECKING

import orjson

from tests.benchmarks import data, driver
from tests.benchmarks.operations import LIST, ONE, WITH_HISTORY, any_ticket
from tests.benchmarks.shared import cpu_s, memory_mb, ours, percentile_ms, table
from tests.databases import migrate_whole, new_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.operations import Operation, Variables
    from tests.benchmarks.shared import Options, Server

_LISTS = (1, 10, 100)
_LOAD = 0.6
"""Of what the server can do, at which latency is measured."""


async def run(options: Options, postgres: str) -> None:
    rows = []
    async with new_database(postgres) as database:
        await migrate_whole(database)
        await data.prepare(database)
        loaded = 0
        with ours(database) as server:
            for tickets in sorted(options.sizes):
                await data.load(database, loaded + 1, tickets)
                loaded = tickets
                rows += [
                    [
                        f"{tickets:,} tickets: {operation.name}",
                        *await _measured(options, server, operation, tickets),
                    ]
                    for operation in (ONE, WITH_HISTORY, LIST, _OF_ANY_PAGE)
                ]
            for length in data.LONG_HISTORIES:
                operation = replace(WITH_HISTORY, variables=partial(_with_history, length))
                measured = await _measured(options, server, operation, loaded)
                rows.append([f"{loaded:,} tickets: one with a history of {length}", *measured])
            for length in _LISTS:
                operation = replace(LIST, variables=partial(_list_of, length))
                measured = await _measured(options, server, operation, loaded)
                rows.append([f"{loaded:,} tickets: list of {length} with histories", *measured])
            table("Growth", ("", "requests/s", "CPU ms", "at req/s", "p50 ms", "p99 ms"), rows)
            print(f"\nMemory of the server afterwards: {memory_mb(server.pid):.0f} MB.")


def _another_page(tickets: int) -> Iterator[Variables]:
    """Of 50, after any ticket: nobody asks for what somebody else asks for at the same moment."""
    for wanted in any_ticket(tickets - 50):
        number = int(wanted["id"].removeprefix("T-")) + 50
        key = data.created_at(number), f"T-{number}"
        yield {"first": 50, "after": urlsafe_b64encode(orjson.dumps(key)).decode()}


_OF_ANY_PAGE = replace(
    LIST,
    name="the same, each of another page",
    document=LIST.document.replace("Int!", "Int!, $after: String").replace(
        "$first)", "$first, after: $after)"
    ),
    variables=_another_page,
)


def _with_history(length: int, _: int) -> Iterator[Variables]:
    return cycle({"id": f"H{length}-{n}"} for n in range(1, data.LONG_HISTORIES_EACH + 1))


def _list_of(length: int, _: int) -> Iterator[Variables]:
    return repeat({"first": length})


async def _measured(options: Options, server: Server, operation: Operation, tickets: int) -> list[str]:
    variables = operation.variables(tickets)
    requests = server.requests(operation.document, variables)
    seconds = options.seconds
    # The first time warms up.
    for _ in range(2):
        used = cpu_s(server.pid)
        full = await driver.flood(server.port, requests, seconds, expected=b'"data":')
        full.check(operation.name)
        cpu_ms = (cpu_s(server.pid) - used) / len(full.waits) * 1e3
    rate = len(full.waits) / full.took_s
    paced = await driver.pace(server.port, requests, seconds, expected=b'"data":', rate=_LOAD * rate)
    paced.check(operation.name)
    return [
        f"{rate:.0f}",
        f"{cpu_ms:.2f}",
        f"{_LOAD * rate:.0f}",
        f"{percentile_ms(paced.waits, 50):.1f}",
        f"{percentile_ms(paced.waits, 99):.1f}",
    ]
