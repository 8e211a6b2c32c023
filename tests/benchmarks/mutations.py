"""Changes, and reads and changes mixed: Baton and the peers, with the same guarantees, interleaved in rounds.

Different tickets run in parallel; changes of one ticket are serialized. The peers lock the ticket in a
transaction, check it, and write the assignment, the ticket, the event and the idempotency key.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle, repeat
from typing import Any

import asyncpg

from tests.benchmarks import data, driver, peers
from tests.benchmarks.floor import Pgbench
from tests.benchmarks.operations import ONE, PAGES, Variables
from tests.benchmarks.shared import (
    Flood,
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

_RESULT = "{ __typename ... on Assignment { id assignmentSequence status engineer { id name } } }"
_SUCCESS = b'"__typename":"Assignment"'
_TICKETS_PER_S = 3000
"""More than any server can assign."""
_FUNCTION = "Mercurius, one function"
_MIX = "60 % one ticket, 25 % lists of different pages, 15 % assign"
_LOAD = 0.6
"""Share of the slowest server's rate at which the latency of the mix is measured."""

# The whole change as one function: what a server could save by giving up checks in its own language.
_BENCHMARK_ASSIGN = """
CREATE FUNCTION benchmark_assign(p_ticket text, p_engineer uuid, p_tier int, p_key text, p_hash bytea)
RETURNS SETOF engineer_assignments LANGUAGE plpgsql AS $$
DECLARE ticket_status text; assigned engineer_assignments; event bigint;
BEGIN
    SELECT status INTO ticket_status FROM service_tickets WHERE id = p_ticket FOR NO KEY UPDATE;
    IF NOT FOUND OR ticket_status IN ('resolved', 'closed', 'cancelled')
        OR NOT EXISTS (SELECT FROM engineers WHERE id = p_engineer AND is_active)
        OR EXISTS (SELECT FROM engineer_assignments
            WHERE ticket_id = p_ticket AND status IN ('assigned', 'accepted', 'in_progress'))
        OR EXISTS (SELECT FROM idempotency_keys WHERE actor = 'benchmark' AND key = p_key)
    THEN RETURN; END IF;
    INSERT INTO engineer_assignments (id, ticket_id, engineer_id, assignment_sequence, assignment_tier,
        assignment_tier_name, assignment_type, assigned_by, assigned_at, created_at, updated_at)
    SELECT gen_random_uuid(), p_ticket, p_engineer, coalesce(max(assignment_sequence), 0) + 1, p_tier,
        'Tier ' || p_tier, 'manual', 'benchmark', now(), now(), now()
    FROM engineer_assignments WHERE ticket_id = p_ticket
    RETURNING * INTO assigned;
    UPDATE service_tickets SET status = 'assigned', updated_at = now() WHERE id = p_ticket;
    INSERT INTO ticket_events (ticket_id, assignment_id, type, actor, recorded_at, assignment)
    VALUES (p_ticket, assigned.id, 'assigned', 'benchmark', now(), to_jsonb(assigned))
    RETURNING id INTO event;
    IF p_key IS NOT NULL THEN
        INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at)
        VALUES ('benchmark', p_key, p_hash, event, now());
    END IF;
    RETURN NEXT assigned;
END $$;
CREATE SEQUENCE benchmark_ticket"""
_PGBENCH = """SELECT benchmark_assign('NEW-' || nextval('benchmark_ticket'),
    md5('engineer' || (random() * 399)::int)::uuid, 1, NULL, NULL);"""


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    field: str
    inputs: Callable[["MutationBenchmark", Sequence[str]], Iterator[dict[str, Any]]]
    """From the benchmark and the tickets, or the assignments, that it applies to."""
    status: str | None
    """Of the assignments that it applies to; None for tickets without one."""
    has_key: bool = False

    def document(self, field: str) -> str:
        input_type = f"{self.field[0].upper()}{self.field[1:]}Input"
        return f"mutation Change($input: {input_type}!) {{ {field}(input: $input) {_RESULT} }}"


ASSIGN = Change("assign, different tickets", "assignTicket", lambda b, ids: b.assign(ids), None)
_CHANGES = (
    ASSIGN,
    Change("assign, with keys", "assignTicket", lambda b, ids: b.assign(ids), None, has_key=True),
    Change("accept", "acceptAssignment", lambda _, ids: ({"assignmentId": i} for i in ids), "assigned"),
    Change("complete", "completeAssignment", lambda _, ids: _complete(ids), "accepted"),
    Change("escalate", "escalateTicket", lambda b, ids: b.escalate(ids), "assigned"),
    Change("reassign, one ticket", "reassignTicket", lambda b, ids: b.reassign(ids[0]), "assigned"),
)


def _complete(ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    for each in ids:
        yield {"assignmentId": each, "completionStatus": "SUCCESS", "timeSpentHours": "1.5"}


class MutationBenchmark:
    def __init__(
        self, options: Options, database: str, servers: Sequence[Server], engineers: Sequence[str]
    ) -> None:
        self._options, self._database, self._servers = options, database, servers
        # In rotation, so that no ticket is given to the engineer who has it.
        self._engineers = cycle(set(engineers) - {data.HOLDER})
        self._keys = count()
        self._tickets = count(1)
        self._results: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
        self._latencies_s: dict[str, list[float]] = defaultdict(list)
        """Of the mix at the same rate for all, by server."""

    async def run_round(self, round_: int, pgbench: Pgbench) -> None:
        for change in _CHANGES:
            for server in (*self._servers[round_:], *self._servers[:round_]):
                if server.name == _FUNCTION and change.field != "assignTicket":
                    continue
                await self.flood_change(change, server)
        await self._flood_function(pgbench)
        servers = [server for server in self._servers if server.name != _FUNCTION]
        rates = [
            (await self._run_flood(server, _MIX, await self._mixed_requests(server), b'"data":')).per_s
            for server in servers
        ]
        for server in servers:
            requests, rate = await self._mixed_requests(server), _LOAD * min(rates)
            responses = await driver.pace(
                server.port, requests, self._options.seconds, expected=b'"data":', rate=rate
            )
            responses.check(f"{server.name}, {_MIX}")
            self._latencies_s[server.name] += responses.latencies_s

    def discard_results(self) -> None:
        self._results.clear()
        self._latencies_s.clear()

    def print_results(self) -> None:
        head = ("", "changes/s", "Baton to it", "CPU ms", "database CPU ms", "p50 ms", "p99 ms")
        forms = (".2f", ".2f", ".1f", ".1f")
        for title in (*(change.name for change in _CHANGES), _MIX):
            rows = []
            baton_rates = [rate for rate, *_ in self._results["Baton", title]]
            for name in [name for name, of in self._results if of == title]:
                rate, *others = zip(*self._results[name, title], strict=True)
                ratios = [a / b for a, b in zip(baton_rates, rate, strict=True)]
                columns = [median_and_range(c, form) for c, form in zip(others, forms, strict=False)]
                rows.append(
                    [
                        name,
                        median_and_range(rate),
                        "" if name == "Baton" else median_and_range(ratios, ".2f"),
                        *(columns or [""] * len(forms)),
                    ]
                )
            table(title[0].upper() + title[1:], head, rows)
        table(
            f"The same mix, sent at {_LOAD:.0%} of the slowest server's rate",
            ("", "p50 ms", "p99 ms"),
            [
                (name, *(f"{percentile_ms(latencies_s, percent):.1f}" for percent in (50, 99)))
                for name, latencies_s in self._latencies_s.items()
            ],
        )
        memory = ", ".join(f"{server.name} {memory_mb(server.pid):.0f} MB" for server in self._servers)
        print(f"\nMemory afterwards: {memory}.")

    def assign(self, tickets: Sequence[str]) -> Iterator[dict[str, Any]]:
        for ticket in tickets:
            yield {"ticketId": ticket, "engineerId": next(self._engineers)}

    def escalate(self, tickets: Sequence[str]) -> Iterator[dict[str, Any]]:
        for ticket in tickets:
            yield {"ticketId": ticket, "nextEngineerId": next(self._engineers), "reason": "No part"}

    def reassign(self, ticket: str) -> Iterator[dict[str, Any]]:
        for _ in repeat(None):
            yield {"ticketId": ticket, "engineerId": next(self._engineers), "reason": "Shift ends"}

    async def flood_change(self, change: Change, server: Server) -> Flood:
        ids = await self._targets(change)
        field = f"{change.field}ByFunction" if server.name == _FUNCTION else change.field
        requests = server.requests(change.document(field), self._variables(change, ids))
        return await self._run_flood(server, change.name, requests, _SUCCESS)

    async def _run_flood(
        self, server: Server, title: str, requests: Iterator[bytes], expected: bytes
    ) -> Flood:
        name = f"{server.name}, {title}"
        run = await flood(server, self._database, requests, self._options.seconds, expected, name)
        percentiles = (percentile_ms(run.latencies_s, percent) for percent in (50, 99))
        self._results[server.name, title].append((run.per_s, run.cpu_ms, run.database_ms, *percentiles))
        return run

    async def _mixed_requests(self, server: Server) -> Iterator[bytes]:
        change, tickets = ASSIGN, self._options.tickets
        kinds = (
            server.requests(ONE.document, ONE.variables(tickets)),
            server.requests(PAGES.document, PAGES.variables(tickets)),
            server.requests(
                change.document(change.field), self._variables(change, await self._targets(change))
            ),
        )
        rng = random.Random(1)  # noqa: S311 - chooses what is sent
        return (next(rng.choices(kinds, (60, 25, 15))[0]) for _ in repeat(None))

    def _variables(self, change: Change, ids: Sequence[str]) -> Iterator[Variables]:
        for each in change.inputs(self, ids):
            yield {"input": each | {"idempotencyKey": f"key-{next(self._keys)}"} if change.has_key else each}

    async def _targets(self, change: Change) -> list[str]:
        """Make tickets, assigned or accepted, for one flood; return the ids that the change takes."""
        wanted = round(_TICKETS_PER_S * self._options.seconds)
        first = next(self._tickets)
        self._tickets = count(first + wanted)
        conn = await asyncpg.connect(self._database)
        try:
            assignments = await data.make_tickets(conn, first, first + wanted - 1, change.status)
        finally:
            await conn.close()
        if change.field in ("acceptAssignment", "completeAssignment"):
            return assignments
        return [f"NEW-{n}" for n in range(first, first + wanted)]

    async def _flood_function(self, pgbench: Pgbench) -> None:
        """The floor: the function, called by pgbench."""
        [first, *_] = await self._targets(ASSIGN)
        conn = await asyncpg.connect(self._database)
        await conn.execute(f"SELECT setval('benchmark_ticket', {first.removeprefix('NEW-')})")
        await conn.close()
        done = await pgbench.run(_PGBENCH, self._options.seconds)
        self._results[pgbench.name, ASSIGN.name].append((done.count / done.duration_s,))


async def run(options: Options, postgres: str) -> None:
    async with loaded(postgres, options.tickets) as database:
        conn = await asyncpg.connect(database)
        await conn.execute(_BENCHMARK_ASSIGN)
        await conn.close()
        with baton(database) as server, peers.running_peers(database, peers.WITH_CHANGES) as others:
            by_function = replace(others[0], name=_FUNCTION)
            benchmark = MutationBenchmark(
                options, database, [server, *others, by_function], await data.engineers(database)
            )
            pgbench = Pgbench(database, options.tickets, "pgbench, one function")
            await benchmark.run_round(0, pgbench)
            benchmark.discard_results()
            for round_ in range(options.rounds):
                await benchmark.run_round(round_, pgbench)
            benchmark.print_results()
