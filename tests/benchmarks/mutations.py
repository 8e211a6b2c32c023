"""Changes: on different tickets, which do not wait for each other, and on one, which take turns."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, cycle, repeat
from typing import TYPE_CHECKING

from app.domain.model import TOP_TIER
from tests.benchmarks import data, driver
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
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.operations import Variables
    from tests.benchmarks.shared import Options, Server

_ANSWER = "{ __typename ... on Assignment { id assignmentSequence status engineer { id name } } }"
_ASSIGN = f"mutation Assign($input: AssignTicketInput!) {{ assignTicket(input: $input) {_ANSWER} }}"
_ESCALATE = f"mutation Escalate($input: EscalateTicketInput!) {{ escalateTicket(input: $input) {_ANSWER} }}"
_REASSIGN = f"mutation Reassign($input: ReassignTicketInput!) {{ reassignTicket(input: $input) {_ANSWER} }}"
_DONE = b'"__typename":"Assignment"'
_TICKETS_PER_S = 2000
"""More than can be assigned."""


class Work:
    def __init__(self, options: Options, database: str, server: Server, engineers: Sequence[str]) -> None:
        self._options, self._database, self._server = options, database, server
        # In turn, so that nobody is given what they hold.
        self._engineers = cycle(engineers)
        self._seen: dict[str, list[tuple[float, ...]]] = defaultdict(list)

    async def go(self, tickets: Iterator[str]) -> None:
        """A round, with tickets that nobody ever held."""
        assigned: list[str] = []
        await self._flood("assign, each another ticket", _ASSIGN, self._assigning(tickets, assigned))
        await self._flood("escalate, each another ticket", _ESCALATE, self._escalating(assigned))
        await self._flood("reassign, all the same ticket", _REASSIGN, self._reassigning(assigned[0]))

    def forget(self) -> None:
        self._seen.clear()

    def tell(self) -> None:
        head = ("32 at once", "done/s", "CPU ms", "database CPU ms", "p50 ms", "p99 ms")
        rows = []
        for name, rounds in self._seen.items():
            columns = list(zip(*rounds, strict=True))
            forms = (".0f", ".2f", ".2f", ".1f", ".1f")
            rows.append([name, *(middle(c, form) for c, form in zip(columns, forms, strict=True))])
        table("Changes", head, rows)
        print(f"\nMemory of the server afterwards: {memory_mb(self._server.pid):.0f} MB.")

    def _assigning(self, tickets: Iterator[str], assigned: list[str]) -> Iterator[Variables]:
        for ticket in tickets:
            assigned.append(ticket)
            yield {"input": {"ticketId": ticket, "engineerId": next(self._engineers)}}

    def _escalating(self, assigned: Sequence[str]) -> Iterator[Variables]:
        """To the second tier, then all to the third, and so on."""
        for ticket in chain.from_iterable(repeat(assigned, TOP_TIER - 1)):
            yield {
                "input": {"ticketId": ticket, "nextEngineerId": next(self._engineers), "reason": "No part"}
            }

    def _reassigning(self, ticket: str) -> Iterator[Variables]:
        while True:
            yield {"input": {"ticketId": ticket, "engineerId": next(self._engineers), "reason": "Shift ends"}}

    async def _flood(self, name: str, document: str, variables: Iterator[Variables]) -> None:
        working = await backends(self._database)
        used, worked = cpu_s(self._server.pid), cpu_s(*working)
        answers = await driver.flood(
            self._server.port,
            self._server.requests(document, variables),
            self._options.seconds,
            expected=_DONE,
        )
        answers.check(name)
        done = len(answers.waits)
        self._seen[name].append(
            (
                done / answers.took_s,
                (cpu_s(self._server.pid) - used) / done * 1e3,
                (cpu_s(*working) - worked) / done * 1e3,
                percentile_ms(answers.waits, 50),
                percentile_ms(answers.waits, 99),
            )
        )


async def run(options: Options, postgres: str) -> None:
    async with loaded(postgres, options.tickets) as database:
        wanted = round(_TICKETS_PER_S * options.seconds * (options.rounds + 1))
        await data.load_unassigned(database, "NEW-", wanted)
        with ours(database) as server:
            work = Work(options, database, server, await data.engineers(database))
            tickets = (f"NEW-{n}" for n in range(1, wanted + 1))
            await work.go(tickets)
            work.reset_loaders()
            for _ in range(options.rounds):
                await work.go(tickets)
            work.tell()
