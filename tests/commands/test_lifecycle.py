"""Whatever people do in whatever order, a ticket's history stays whole."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.commands import accept, assign, cancel, complete, correct, escalate, rate, reassign, reject, start
from app.commands.accept import AcceptAssignment
from app.commands.assign import AssignTicket
from app.commands.cancel import CancelAssignment
from app.commands.complete import CompleteAssignment
from app.commands.correct import CorrectTimeSpent
from app.commands.escalate import EscalateTicket
from app.commands.rate import RateAssignment
from app.commands.reassign import ReassignTicket
from app.commands.reject import RejectAssignment
from app.commands.start import StartAssignment
from app.db.pool import open_database
from app.domain.errors import DomainError, InvalidInput
from app.domain.lifecycle import TERMINAL_TICKET_STATUSES, Action
from app.domain.model import TOP_TIER, AssignmentStatus, CompletionStatus, TicketStatus
from tests.commands.world import NOTHING, World, outcome
from tests.factories import Factories, as_engineer

S = AssignmentStatus
ALLOWED_FROM = {
    Action.ACCEPT: {S.ASSIGNED},
    Action.REJECT: {S.ASSIGNED, S.ACCEPTED},
    Action.START: {S.ASSIGNED, S.ACCEPTED},
    Action.COMPLETE: {S.ACCEPTED, S.IN_PROGRESS},
    Action.CANCEL: {S.ASSIGNED, S.ACCEPTED, S.IN_PROGRESS},
    Action.RATE: {S.COMPLETED, S.FAILED, S.ESCALATED},
    Action.CORRECT: {S.COMPLETED, S.FAILED, S.ESCALATED, S.REJECTED, S.CANCELLED},
}
ACTIVE = {S.ASSIGNED, S.ACCEPTED, S.IN_PROGRESS}
AFTER_COMPLETE = {
    CompletionStatus.SUCCESS: (S.COMPLETED, TicketStatus.RESOLVED),
    CompletionStatus.PARTS_REQUIRED: (S.COMPLETED, TicketStatus.ON_HOLD),
    CompletionStatus.CUSTOMER_UNAVAILABLE: (S.COMPLETED, TicketStatus.ON_HOLD),
    CompletionStatus.FAILED: (S.FAILED, TicketStatus.NEW),
}
ENGINEERS = 4
engineers = st.integers(0, ENGINEERS - 1)
chances = st.floats(0, 1, exclude_max=True)
"""Which assignment of the history, as a share of its length: most often one that is there."""
sequences = st.none() | st.integers(0, 5)
outcomes = st.sampled_from(CompletionStatus)


class TicketLife(RuleBasedStateMachine):
    """Compares the product with the state table, told once more and differently: as a list of statuses."""

    db = None
    loop = None

    @initialize()
    def begin(self):
        make, self.world = Factories(self.db), World(self.db)

        async def rows():
            return await make.ticket(), [await make.engineer(f"E{n}") for n in range(ENGINEERS)]

        self.ticket, self.engineers = self.loop.run_until_complete(rows())
        self.statuses = []  # what the history should say
        self.tiers = []
        self.holders = []
        self.hours = []
        self.became = TicketStatus.NEW
        self.events = 0
        self.before = []

    def do(self, module, name, command, actor=None):
        decide = getattr(module, name)
        more = {} if actor is None else {"actor": actor}
        got = self.loop.run_until_complete(outcome(self.world.run(decide, command, **more)))
        if isinstance(got, DomainError):
            assert type(got) in module.REFUSALS
            return False
        return True

    @property
    def current(self):
        found = [i for i, status in enumerate(self.statuses) if status in ACTIVE]
        return found[0] if found else None

    def end(self, index, status):
        self.statuses[index] = status
        self.events += 1

    def open(self, engineer, tier):
        self.statuses.append(AssignmentStatus.ASSIGNED)
        self.tiers.append(tier)
        self.holders.append(engineer)
        self.hours.append(None)
        self.became = TicketStatus.ASSIGNED
        self.events += 1

    def stale(self, seen):
        return seen is not None and seen != len(self.statuses)

    @rule(engineer=engineers, tier=st.integers(1, TOP_TIER), seen=sequences)
    def assign(self, engineer, tier, seen):
        command = AssignTicket(
            ticket_id=self.ticket, engineer_id=self.engineers[engineer], tier=tier, expected_sequence=seen
        )
        allowed = (
            not self.stale(seen) and self.current is None and self.became not in TERMINAL_TICKET_STATUSES
        )
        assert self.do(assign, "assign_ticket", command) is allowed
        if allowed:
            self.open(engineer, tier)

    @rule(engineer=engineers, tier=st.none() | st.integers(1, TOP_TIER), seen=sequences)
    def escalate(self, engineer, tier, seen):
        command = EscalateTicket(
            ticket_id=self.ticket,
            next_engineer_id=self.engineers[engineer],
            reason="r",
            next_tier=tier,
            expected_sequence=seen,
        )
        held = self.current
        allowed = (
            not self.stale(seen)
            and held is not None
            and self.holders[held] != engineer
            and self.tiers[held] < (tier or self.tiers[held] + 1) <= TOP_TIER
        )
        assert self.do(escalate, "escalate_ticket", command) is allowed
        if allowed:
            self.end(held, AssignmentStatus.ESCALATED)
            self.open(engineer, tier or self.tiers[held] + 1)

    @rule(engineer=engineers, seen=sequences)
    def reassign(self, engineer, seen):
        command = ReassignTicket(
            ticket_id=self.ticket, engineer_id=self.engineers[engineer], reason="r", expected_sequence=seen
        )
        held = self.current
        allowed = not self.stale(seen) and held is not None and self.holders[held] != engineer
        assert self.do(reassign, "reassign_ticket", command) is allowed
        if allowed:
            self.end(held, AssignmentStatus.CANCELLED)
            self.open(engineer, self.tiers[held])

    def one(self, chance):
        """An assignment of the history, and its place in it; one that is not there in an empty history."""
        if not self.before:
            return NOTHING, None
        index = int(chance * len(self.before))
        return self.before[index].id, index

    def move(self, module, name, command, index, action, becomes, ticket_becomes, *, actor=None, mine=True):
        allowed = index is not None and mine and self.statuses[index] in ALLOWED_FROM[action]
        assert self.do(module, name, command, actor) is allowed
        if allowed:
            self.end(index, becomes or self.statuses[index])
            self.became = ticket_becomes or self.became
        return allowed

    @rule(chance=chances, engineer=engineers)
    def accept(self, chance, engineer):
        assignment, index = self.one(chance)
        mine = index is not None and self.holders[index] == engineer
        self.move(
            accept,
            "accept_assignment",
            AcceptAssignment(assignment_id=assignment),
            index,
            Action.ACCEPT,
            AssignmentStatus.ACCEPTED,
            None,
            actor=as_engineer(self.engineers[engineer]),
            mine=mine,
        )

    @rule(chance=chances)
    def reject(self, chance):
        assignment, index = self.one(chance)
        command = RejectAssignment(assignment_id=assignment, reason="r")
        becomes = AssignmentStatus.REJECTED, TicketStatus.NEW
        self.move(reject, "reject_assignment", command, index, Action.REJECT, *becomes)

    @rule(chance=chances)
    def start(self, chance):
        assignment, index = self.one(chance)
        command = StartAssignment(assignment_id=assignment)
        becomes = AssignmentStatus.IN_PROGRESS, TicketStatus.IN_PROGRESS
        self.move(start, "start_assignment", command, index, Action.START, *becomes)

    @rule(chance=chances, outcome=outcomes)
    def complete(self, chance, outcome):
        assignment, index = self.one(chance)
        command = CompleteAssignment(
            assignment_id=assignment, completion_status=outcome, time_spent_hours=Decimal("0.25")
        )
        if outcome is CompletionStatus.ESCALATED:
            assert not self.do(complete, "complete_assignment", command)
            return
        becomes = AFTER_COMPLETE[outcome]
        if self.move(complete, "complete_assignment", command, index, Action.COMPLETE, *becomes):
            self.hours[index] = command.time_spent_hours

    @rule(chance=chances)
    def cancel(self, chance):
        assignment, index = self.one(chance)
        command = CancelAssignment(assignment_id=assignment, reason="r")
        becomes = AssignmentStatus.CANCELLED, TicketStatus.NEW
        self.move(cancel, "cancel_assignment", command, index, Action.CANCEL, *becomes)

    @rule(chance=chances, rating=st.integers(-1, 7))
    def rate(self, chance, rating):
        assignment, index = self.one(chance)
        try:
            command = RateAssignment(assignment_id=assignment, rating=rating)
        except InvalidInput:
            assert not 1 <= rating <= 5
            return
        self.move(rate, "rate_assignment", command, index, Action.RATE, None, None)

    @rule(chance=chances, hours=st.decimals(0, 2, places=2))
    def correct(self, chance, hours):
        assignment, index = self.one(chance)
        command = CorrectTimeSpent(assignment_id=assignment, time_spent_hours=hours, reason="r")
        if index is not None and self.hours[index] == hours:
            assert not self.do(correct, "correct_time_spent", command)
            return
        if self.move(correct, "correct_time_spent", command, index, Action.CORRECT, None, None):
            self.hours[index] = hours

    @invariant()
    def history_is_whole(self):
        async def look():
            return (
                await self.world.history(self.ticket),
                await self.world.ticket(self.ticket),
                await self.world.events(self.ticket),
            )

        history, ticket, events = self.loop.run_until_complete(look())
        assert [a.assignment_sequence for a in history] == list(range(1, len(history) + 1))
        assert sum(a.status in ACTIVE for a in history) <= 1
        assert all(a.status not in ACTIVE for a in history[:-1])
        assert [(a.status, a.assignment_tier) for a in history] == list(
            zip(self.statuses, self.tiers, strict=True)
        )
        assert [a.time_spent_hours for a in history] == self.hours
        assert ticket.status is self.became
        assert len(events) == self.events
        for old, new in zip(self.before, history, strict=False):
            if old.status not in ACTIVE:
                assert (new.status, new.completed_at) == (old.status, old.completed_at)
        self.before = history


def test_history_stays_whole_in_any_order(fresh_url):
    loop = asyncio.new_event_loop()

    async def play():
        async with open_database(fresh_url, pool_size=2) as db:
            yield db

    opened = play()
    TicketLife.loop, TicketLife.db = loop, loop.run_until_complete(anext(opened))
    try:
        run_state_machine_as_test(
            TicketLife,
            settings=settings(
                max_examples=60,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(opened.aclose())
        loop.close()
