"""Three reads: Baton, the peers and the lower bounds, interleaved in rounds."""

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from tests.benchmarks import driver, peers
from tests.benchmarks.floor import BareAsyncpg, Pgbench, bare_asyncpg
from tests.benchmarks.operations import READS, Operation, normalize
from tests.benchmarks.shared import (
    Options,
    Server,
    baton,
    flood,
    loaded,
    median_and_range,
    memory_mb,
    percentile_ms,
    table,
)

_SAMPLES = {False: 20, True: 5}
"""Responses of one subject that are compared: more lists would exceed its rate limit."""
LATENCY = ("at req/s", "p50 ms", "p99 ms")
_LOAD = 0.6
"""Share of the slowest server's rate at which latency is measured."""


@dataclass
class Measurements:
    """Of one server and operation: one entry per round, or per request."""

    per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    paced_rate: float = 0

    def add_latencies(self, latencies_s: Sequence[float]) -> None:
        self.latencies_s += latencies_s
        self.p99_ms.append(percentile_ms(latencies_s, 99))


class ReadBenchmark:
    def __init__(self, options: Options, database: str, servers: Sequence[Server]) -> None:
        self._options, self._database, self._servers = options, database, servers
        self._results: dict[tuple[str, str], Measurements] = defaultdict(Measurements)

    async def check_equal_responses(self) -> None:
        """Check that all servers return equal data."""
        async with httpx.AsyncClient(timeout=60) as client:
            for operation in READS:
                samples = _SAMPLES[operation.is_list]
                for variables in itertools.islice(operation.variables(self._options.tickets), samples):
                    first, *others = [
                        await _execute(client, server, operation, variables) for server in self._servers
                    ]
                    for server, answer in zip(self._servers[1:], others, strict=True):
                        if answer != first:
                            raise SystemExit(
                                f"{server.name} answers {operation.name} differently:\n{answer}\n{first}"
                            )

    async def measure_rates(self, floors: Sequence[BareAsyncpg | Pgbench]) -> None:
        for operation in READS:
            for server in self._servers:
                await self._flood(server, operation, self._options.seconds)
        self._results.clear()
        for round_ in range(self._options.rounds):
            for operation in READS:
                # Rotate the order.
                for server in (*self._servers[round_:], *self._servers[:round_]):
                    await self._flood(server, operation, self._options.seconds)
                for floor in floors:
                    done = await floor.flood(operation, self._options.seconds)
                    results = self._results[floor.name, operation.name]
                    results.per_s.append(done.count / done.duration_s)
                    if done.cpu_s is not None:
                        results.cpu_ms.append(done.cpu_s / done.count * 1e3)

    async def measure_latency(self) -> None:
        """Measure latency below the maximum rate. A client alone has no other rate than its maximum."""
        concurrent = [operation for operation in READS if operation.connections > 1]
        for operation in concurrent:
            rates = {
                s.name: statistics.median(self._results[s.name, operation.name].per_s) for s in self._servers
            }
            # Plain Strawberry is too slow to set the rate of the others.
            plain_rate = rates.pop(peers.PLAIN)
            for server in self._servers:
                slowest = plain_rate if server.name == peers.PLAIN else min(rates.values())
                self._results[server.name, operation.name].paced_rate = _LOAD * slowest
        for round_ in range(self._options.rounds):
            for operation in concurrent:
                for server in (*self._servers[round_:], *self._servers[:round_]):
                    results = self._results[server.name, operation.name]
                    responses = await driver.pace(
                        server.port,
                        self._requests(server, operation),
                        self._options.seconds,
                        expected=b'"data":',
                        rate=results.paced_rate,
                    )
                    responses.check(f"{server.name}, {operation.name}")
                    results.add_latencies(responses.latencies_s)

    async def _flood(self, server: Server, operation: Operation, seconds: float) -> None:
        run = await flood(
            server,
            self._database,
            self._requests(server, operation),
            seconds,
            b'"data":',
            f"{server.name}, {operation.name}",
            connections=operation.connections,
        )
        results = self._results[server.name, operation.name]
        results.per_s.append(run.per_s)
        results.cpu_ms.append(run.cpu_ms)
        results.database_ms.append(run.database_ms)
        if operation.connections == 1:
            results.add_latencies(run.latencies_s)

    def _requests(self, server: Server, operation: Operation) -> Iterator[bytes]:
        documents = operation.documents(postgraphile=server.name == peers.POSTGRAPHILE)
        return server.requests(documents, operation.variables(self._options.tickets))

    def print_results(self, floors: Sequence[BareAsyncpg | Pgbench]) -> None:
        names = [server.name for server in self._servers]
        for operation in READS:
            of = {name: self._results[name, operation.name] for name in (*names, *(f.name for f in floors))}
            rows = [_row(name, results, of[names[0]]) for name, results in of.items()]
            head = ("", "requests/s", "Baton to it", "by CPU", "CPU ms", "database CPU ms", *LATENCY)
            table(operation.name[0].upper() + operation.name[1:], head, rows)
        table(
            "Memory afterwards",
            ("", "MB"),
            [(server.name, f"{memory_mb(server.pid):.0f}") for server in self._servers],
        )


def _row(name: str, results: Measurements, baton: Measurements) -> list[str]:
    ratios = [a / b for a, b in zip(baton.per_s, results.per_s, strict=True)]
    return [
        name,
        median_and_range(results.per_s),
        "" if results is baton else median_and_range(ratios, ".2f"),
        "" if results is baton or not results.cpu_ms else f"{_cpu_ratio(results.cpu_ms, baton.cpu_ms):.2f}",
        f"{statistics.median(results.cpu_ms):.2f}" if results.cpu_ms else "",
        f"{statistics.median(results.database_ms):.2f}" if results.database_ms else "",
        *(
            (
                f"{results.paced_rate:.0f}" if results.paced_rate else "alone",
                f"{statistics.median(results.latencies_s) * 1e3:.1f}",
                median_and_range(results.p99_ms, ".1f"),
            )
            if results.latencies_s
            else ("", "", "")
        ),
    ]


def _cpu_ratio(theirs: Sequence[float], baton: Sequence[float]) -> float:
    """CPU of a server relative to Baton's."""
    return statistics.median(a / b for a, b in zip(theirs, baton, strict=True))


async def _execute(
    client: httpx.AsyncClient, server: Server, operation: Operation, variables: dict[str, Any]
) -> object:
    response = await client.post(
        f"http://127.0.0.1:{server.port}/graphql",
        json={
            "query": next(operation.documents(postgraphile=server.name == peers.POSTGRAPHILE)),
            "variables": variables,
        },
        headers={"Authorization": f"Bearer {server.tokens[0]}"} if server.tokens else {},
    )
    body = orjson.loads(response.content)
    if "errors" in body:
        raise SystemExit(f"{server.name} answers {operation.name} with {body}")
    return normalize(body["data"])


async def run(options: Options, postgres: str) -> None:
    async with loaded(postgres, options.tickets) as database:
        with baton(database) as server, peers.running_peers(database) as others:
            benchmark = ReadBenchmark(options, database, [server, *others])
            await benchmark.check_equal_responses()
            async with bare_asyncpg(database, options.tickets) as bare:
                floors = (bare, Pgbench(database, options.tickets))
                await benchmark.measure_rates(floors)
            await benchmark.measure_latency()
            benchmark.print_results(floors)
