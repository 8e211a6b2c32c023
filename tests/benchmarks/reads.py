"""Three reads, ours beside the peers and the floor, in rounds in which everybody has a turn."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from tests.benchmarks import driver, peers
from tests.benchmarks.floor import Pgbench, bare_asyncpg
from tests.benchmarks.operations import LIST, READS, normal
from tests.benchmarks.shared import (
    backends,
    cpu_s,
    loaded,
    memory_mb,
    middle,
    ours,
    percentile_ms,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.floor import BareAsyncpg
    from tests.benchmarks.operations import Operation
    from tests.benchmarks.shared import Options, Server

_SAMPLES = 20
_LOAD = 0.6
"""Of the rate of the slowest, at which latency is measured."""


@dataclass
class Seen:
    """Of one server and operation; an entry for each round, or for each request."""

    per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    paced_at: float = 0


class Contest:
    def __init__(self, options: Options, database: str, servers: Sequence[Server]) -> None:
        self._options, self._database, self._servers = options, database, servers
        self._seen: dict[tuple[str, str], Seen] = defaultdict(Seen)

    async def agree(self) -> None:
        """All answer the same, or there is nothing to compare."""
        async with httpx.AsyncClient(timeout=60) as client:
            for operation in READS:
                samples = 1 if operation is LIST else _SAMPLES
                for variables in itertools.islice(operation.variables(self._options.tickets), samples):
                    first, *others = [
                        await _answer(client, server, operation, variables) for server in self._servers
                    ]
                    for server, answer in zip(self._servers[1:], others, strict=True):
                        if answer != first:
                            raise SystemExit(
                                f"{server.name} answers {operation.name} otherwise:\n{answer}\n{first}"
                            )

    async def race(self, floors: Sequence[BareAsyncpg | Pgbench]) -> None:
        for operation in READS:
            for server in self._servers:
                await self._flood(server, operation, self._options.seconds)
        self._seen.clear()
        for turn in range(self._options.rounds):
            for operation in READS:
                # Everybody goes first now and then.
                for server in (*self._servers[turn:], *self._servers[:turn]):
                    await self._flood(server, operation, self._options.seconds)
                for floor in floors:
                    done = await floor.flood(operation, self._options.seconds)
                    seen = self._seen[floor.name, operation.name]
                    seen.per_s.append(done.times / done.took_s)
                    if done.cpu_s is not None:
                        seen.cpu_ms.append(done.cpu_s / done.times * 1e3)

    async def wait(self) -> None:
        """How long answers take while there is time for them."""
        for operation in READS:
            rates = {
                s.name: statistics.median(self._seen[s.name, operation.name].per_s) for s in self._servers
            }
            # It would keep the rate of all others so low that none had to wait.
            own = rates.pop(peers.PLAIN)
            for server in self._servers:
                slowest = own if server.name == peers.PLAIN else min(rates.values())
                self._seen[server.name, operation.name].paced_at = _LOAD * slowest
        for turn in range(self._options.rounds):
            for operation in READS:
                for server in (*self._servers[turn:], *self._servers[:turn]):
                    seen = self._seen[server.name, operation.name]
                    answers = await driver.pace(
                        server.port,
                        server.requests(
                            _document(server, operation), operation.variables(self._options.tickets)
                        ),
                        self._options.seconds,
                        expected=b'"data":',
                        rate=seen.paced_at,
                    )
                    answers.check(f"{server.name}, {operation.name}")
                    seen.waits_s += answers.waits
                    seen.p99_ms.append(percentile_ms(answers.waits, 99))

    async def _flood(self, server: Server, operation: Operation, seconds: float) -> None:
        requests = server.requests(_document(server, operation), operation.variables(self._options.tickets))
        working = await backends(self._database)
        used, worked = cpu_s(server.pid), cpu_s(*working)
        answers = await driver.flood(server.port, requests, seconds, expected=b'"data":')
        answers.check(f"{server.name}, {operation.name}")
        seen = self._seen[server.name, operation.name]
        seen.per_s.append(len(answers.waits) / answers.took_s)
        seen.cpu_ms.append((cpu_s(server.pid) - used) / len(answers.waits) * 1e3)
        seen.database_ms.append((cpu_s(*working) - worked) / len(answers.waits) * 1e3)

    def tell(self, floors: Sequence[BareAsyncpg | Pgbench]) -> None:
        names = [server.name for server in self._servers]
        for operation in READS:
            of = {name: self._seen[name, operation.name] for name in (*names, *(f.name for f in floors))}
            rows = [_row(name, seen, of[names[0]]) for name, seen in of.items()]
            head = (
                "",
                "requests/s",
                "Baton to it",
                "by CPU",
                "CPU ms",
                "database CPU ms",
                "at req/s",
                "p50 ms",
                "p99 ms",
            )
            table(operation.name[0].upper() + operation.name[1:], head, rows)
        table(
            "Memory after all of it",
            ("", "MB"),
            [(server.name, f"{memory_mb(server.pid):.0f}") for server in self._servers],
        )


def _row(name: str, seen: Seen, our: Seen) -> list[str]:
    ratios = [a / b for a, b in zip(our.per_s, seen.per_s, strict=True)]
    return [
        name,
        middle(seen.per_s),
        "" if seen is our else middle(ratios, ".2f"),
        "" if seen is our or not seen.cpu_ms else f"{_times(seen.cpu_ms, our.cpu_ms):.2f}",
        f"{statistics.median(seen.cpu_ms):.2f}" if seen.cpu_ms else "",
        f"{statistics.median(seen.database_ms):.2f}" if seen.database_ms else "",
        *(
            (
                f"{seen.paced_at:.0f}",
                f"{statistics.median(seen.waits_s) * 1e3:.1f}",
                middle(seen.p99_ms, ".1f"),
            )
            if seen.waits_s
            else ("", "", "")
        ),
    ]


def _times(theirs: Sequence[float], our: Sequence[float]) -> float:
    """How many times as much they take."""
    return statistics.median(a / b for a, b in zip(theirs, our, strict=True))


def _document(server: Server, operation: Operation) -> str:
    return operation.for_postgraphile if server.name == peers.POSTGRAPHILE else operation.document


async def _answer(
    client: httpx.AsyncClient, server: Server, operation: Operation, variables: dict[str, Any]
) -> object:
    response = await client.post(
        f"http://127.0.0.1:{server.port}/graphql",
        json={"query": _document(server, operation), "variables": variables},
        headers={"Authorization": f"Bearer {server.tokens[0]}"} if server.tokens else {},
    )
    body = orjson.loads(response.content)
    if "errors" in body:
        raise SystemExit(f"{server.name} answers {operation.name} with {body}")
    return normal(body["data"])


async def run(options: Options, postgres: str) -> None:
    async with loaded(postgres, options.tickets) as database:
        with ours(database) as our, peers.all_started(database) as others:
            contest = Contest(options, database, [our, *others])
            await contest.agree()
            async with bare_asyncpg(database, options.tickets) as bare:
                floors = (bare, Pgbench(database, options.tickets))
                await contest.race(floors)
            await contest.wait()
            contest.tell(floors)
