"""What each speed mechanism brings: Baton with all of them, and without one, interleaved in rounds.

A mechanism without which nothing is more than a few percent slower is not worth its code.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg

from app import cli
from app.batch_scheduler import BatchScheduler
from app.commands import batch
from app.db.connection_cache import ConnectionCache
from app.db.session import Session
from app.graphql import loaders, pipeline
from app.graphql.admission.document_cache import DocumentCache
from app.graphql.batching.coalescing import QueryCoalescer, execute_isolated
from tests.benchmarks import data
from tests.benchmarks.mutations import ASSIGN, MutationBenchmark
from tests.benchmarks.operations import LIST, OF_ENGINEERS, ONE, PAGES, Operation
from tests.benchmarks.shared import Options, Server, baton, flood, loaded, median_and_range, table

_READS = (PAGES, OF_ENGINEERS, ONE, LIST)


def _execute_each_query() -> None:
    async def execute(_: QueryCoalescer, executor, cost, timeout_s):  # type: ignore[no-untyped-def]
        async with asyncio.timeout(timeout_s):
            return await execute_isolated(executor)

    QueryCoalescer.execute = execute  # type: ignore[method-assign]


def _read_for_each_operation() -> None:
    key = loaders.BatchKey
    loaders.BatchKey = lambda *values, **named: key(*values, **named, isolated_key=object())  # type: ignore[assignment,misc]


def _start_batches_at_once() -> None:
    BatchScheduler.__init__.__defaults__ = (0.0,)


def _use_pool() -> None:
    async def acquire(self: ConnectionCache):  # type: ignore[no-untyped-def]
        return await self.pool.acquire(timeout=self.timeout_s)

    async def release(self: ConnectionCache, conn: asyncpg.Connection) -> None:
        await self.pool.release(conn)

    ConnectionCache.acquire = acquire  # type: ignore[method-assign]
    ConnectionCache.release = release  # type: ignore[method-assign,assignment]


def _reset_sessions() -> None:
    async def reset_state(self: Session) -> None:
        await asyncpg.Connection.execute(self, self.get_reset_query())

    _use_pool()
    Session.reset_state = reset_state  # type: ignore[method-assign]


def _read_all_columns() -> None:
    loaders.omitted_columns = lambda _: frozenset()


def _write_each_change() -> None:
    batch.MAX_COMMANDS = 1


def _execute_by_graphql_core() -> None:
    os.environ["COMPILED_EXECUTION"] = "0"


def _parse_each_document() -> None:
    DocumentCache.add = lambda *_: None  # type: ignore[method-assign]


def _format_times() -> None:
    pipeline.CompiledExecutor.native_leaves = False


_WITHOUT: dict[str, Callable[[], None]] = {
    "equal queries executed as one": _execute_each_query,
    "statements shared by operations": _read_for_each_operation,
    "batches that wait while others run": _start_batches_at_once,
    "connection cache": _use_pool,
    "connection cache and no reset": _reset_sessions,
    "only requested columns": _read_all_columns,
    "changes written together": _write_each_change,
    "execution by plans, and so equal queries as one": _execute_by_graphql_core,
    "cached documents": _parse_each_document,
    "times formatted by orjson": _format_times,
}


async def run(options: Options, postgres: str) -> None:
    async with loaded(postgres, options.tickets) as database:
        changes = MutationBenchmark(options, database, [], await data.engineers(database))
        rows = []
        for name in _WITHOUT:
            with (
                baton(database) as with_all,
                baton(database, ("-m", "tests.benchmarks.mechanisms", name)) as without,
            ):
                servers = [with_all, Server(name, without.port, without.pid, without.tokens)]
                rows.append([name, *await _compare(options, database, servers, changes)])
                print(rows[-1], file=sys.stderr, flush=True)
        head = ("Rate with it, relative to without", *(read.name for read in _READS), ASSIGN.name)
        table("Mechanisms", head, rows)


async def _compare(
    options: Options, database: str, servers: list[Server], changes: MutationBenchmark
) -> list[str]:
    async def read(operation: Operation, server: Server) -> float:
        requests = server.requests(operation.document, operation.variables(options.tickets))
        return (await flood(server, database, requests, options.seconds, b'"data":', operation.name)).per_s

    async def change(server: Server) -> float:
        return (await changes.flood_change(ASSIGN, server)).per_s

    measurements: list[Callable[[Server], Awaitable[float]]] = [
        *(partial(read, operation) for operation in _READS),
        change,
    ]
    ratios: list[list[float]] = [[] for _ in measurements]
    for round_ in range(options.rounds + 1):
        for measure, of in zip(measurements, ratios, strict=True):
            rates = {s.name: await measure(s) for s in servers[:: 1 if round_ % 2 else -1]}
            if round_:  # the first warms up
                of.append(rates[servers[0].name] / rates[servers[1].name])
    return [median_and_range(of, ".2f") for of in ratios]


if __name__ == "__main__":
    _WITHOUT[sys.argv[1]]()
    sys.argv = ["baton", *sys.argv[2:]]
    cli.main()
