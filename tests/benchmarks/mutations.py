"""Mutations: on different tickets, which run in parallel, and on one ticket, which are serialized."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, cycle, repeat

from app.domain.model import TOP_TIER
from tests.benchmarks import data
from tests.benchmarks.operations import Variables
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

_RESULT = "{ __typename ... on Assignment { id assignmentSequence status engineer { id name } } }"
_ASSIGN = f"mutation Assign($input: AssignTicketInput!) {{ assignTicket(input: $input) {_RESULT} }}"
_ESCALATE = f"mutation Escalate($input: EscalateTicketInput!) {{ escalateTicket(input: $input) {_RESULT} }}"
_REASSIGN = f"mutation Reassign($input: ReassignTicketInput!) {{ reassignTicket(input: $input) {_RESULT} }}"
_SUCCESS = b'"__typename":"Assignment"'
_TICKETS_PER_S = 2000
"""More than the server can assign."""


class MutationBenchmark:
    def __init__(self, options: Options, database: str, server: Server, engineers: Sequence[str]) -> None:
        self._options, self._database, self._server = options, database, server
        # In rotation, so that no engineer is assigned twice in a row.
        self._engineers = cycle(engineers)
        self._results: dict[str, list[tuple[float, ...]]] = defaultdict(list)

    async def run_round(self, tickets: Iterator[str]) -> None:
        """Run one round, on tickets without assignments."""
        assigned: list[str] = []
        await self._flood("assign, different tickets", _ASSIGN, self._assign_inputs(tickets, assigned))
        await self._flood("escalate, different tickets", _ESCALATE, self._escalate_inputs(assigned))
        await self._flood("reassign, one ticket", _REASSIGN, self._reassign_inputs(assigned[0]))

    def discard_results(self) -> None:
        self._results.clear()

    def print_results(self) -> None:
        head = ("32 connections", "mutations/s", "CPU ms", "database CPU ms", "p50 ms", "p99 ms")
        rows = []
        for name, rounds in self._results.items():
            columns = list(zip(*rounds, strict=True))
            forms = (".0f", ".2f", ".2f", ".1f", ".1f")
            rows.append([name, *(median_and_range(c, form) for c, form in zip(columns, forms, strict=True))])
        table("Mutations", head, rows)
        print(f"\nMemory of the server afterwards: {memory_mb(self._server.pid):.0f} MB.")

    def _assign_inputs(self, tickets: Iterator[str], assigned: list[str]) -> Iterator[Variables]:
        for ticket in tickets:
            assigned.append(ticket)
            yield {"input": {"ticketId": ticket, "engineerId": next(self._engineers)}}

    def _escalate_inputs(self, assigned: Sequence[str]) -> Iterator[Variables]:
        """All tickets to the second tier, then to the third, and so on."""
        for ticket in chain.from_iterable(repeat(assigned, TOP_TIER - 1)):
            yield {
                "input": {"ticketId": ticket, "nextEngineerId": next(self._engineers), "reason": "No part"}
            }

    def _reassign_inputs(self, ticket: str) -> Iterator[Variables]:
        while True:
            yield {"input": {"ticketId": ticket, "engineerId": next(self._engineers), "reason": "Shift ends"}}

    async def _flood(self, name: str, document: str, variables: Iterator[Variables]) -> None:
        requests = self._server.requests(document, variables)
        run = await flood(self._server, self._database, requests, self._options.seconds, _SUCCESS, name)
        percentiles = (percentile_ms(run.latencies_s, percent) for percent in (50, 99))
        self._results[name].append((run.per_s, run.cpu_ms, run.database_ms, *percentiles))


async def run(options: Options, postgres: str) -> None:
    async with loaded(postgres, options.tickets) as database:
        ticket_count = round(_TICKETS_PER_S * options.seconds * (options.rounds + 1))
        await data.load_unassigned(database, "NEW-", ticket_count)
        with baton(database) as server:
            benchmark = MutationBenchmark(options, database, server, await data.engineers(database))
            tickets = (f"NEW-{n}" for n in range(1, ticket_count + 1))
            await benchmark.run_round(tickets)
            benchmark.discard_results()
            for _ in range(options.rounds):
                await benchmark.run_round(tickets)
            benchmark.print_results()
