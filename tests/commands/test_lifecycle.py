"""Commands in any order keep the history of a ticket consistent (a Hypothesis state machine)."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.db.pool import open_database
from app.domain.errors import DomainError, InvalidInput
from app.domain.lifecycle import TERMINAL_TICKET_STATUSES, Action
from app.domain.model import TOP_TIER, AssignmentStatus, CompletionStatus, TicketStatus
from tests.commands.samples import SAMPLES
from tests.commands.world import NOTHING, World, outcome
from tests.factories import DISPATCHER, Factories, as_engineer

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
SAMPLE_OF = {sample.action: sample for sample in SAMPLES}
MOVES = [
    (Action.REJECT, S.REJECTED, TicketStatus.NEW),
    (Action.START, S.IN_PROGRESS, TicketStatus.IN_PROGRESS),
    (Action.CANCEL, S.CANCELLED, TicketStatus.NEW),
]
ENGINEERS = 4
engineers = st.integers(0, ENGINEERS - 1)
chances = st.floats(0, 1, exclude_max=True)
"""Chooses an assignment, as a fraction of the length of the history."""
sequences = st.sampled_from([None, None, None, 1, 2, 3])
"""Mostly None: most other values are stale."""
outcomes = st.sampled_from(CompletionStatus)


class TicketLife(RuleBasedStateMachine):
    """Compares the commands with a second model of the state machine: a list of statuses."""

    db = None
    loop = None

    @initialize()
    def create_rows(self):
        make, self.world = Factories(self.db), World(self.db)

        async def rows():
            return await make.ticket(), [await make.engineer(f"E{n}") for n in range(ENGINEERS)]

        self.ticket, self.engineers = self.loop.run_until_complete(rows())
        self.statuses = []
        self.tiers = []
        self.assigned_to = []
        self.hours = []
        self.ticket_status = TicketStatus.NEW
        self.events = 0
        self.previous = []
        self.assign(0, 1, None)  # most commands need an assignment

    def run(self, action, assignment_id=NOTHING, actor=DISPATCHER, **values):
        """Return whether the command was not refused."""
        sample = SAMPLE_OF[action]
        command = sample.on(SimpleNamespace(ticket_id=self.ticket, id=assignment_id), **values)
        result = self.loop.run_until_complete(outcome(self.world.run(sample.decide, command, actor)))
        assert not isinstance(result, DomainError) or type(result) in sample.refusals
        return not isinstance(result, DomainError)

    @property
    def current(self):
        return next((i for i, status in enumerate(self.statuses) if status in ACTIVE), None)

    def end(self, index, status):
        self.statuses[index] = status
        self.events += 1

    def open(self, engineer, tier):
        self.statuses.append(AssignmentStatus.ASSIGNED)
        self.tiers.append(tier)
        self.assigned_to.append(engineer)
        self.hours.append(None)
        self.ticket_status = TicketStatus.ASSIGNED
        self.events += 1

    def is_stale(self, sequence):
        return sequence is not None and sequence != len(self.statuses)

    @rule(engineer=engineers, tier=st.integers(1, TOP_TIER), sequence=sequences)
    def assign(self, engineer, tier, sequence):
        allowed = (
            not self.is_stale(sequence)
            and self.current is None
            and self.ticket_status not in TERMINAL_TICKET_STATUSES
        )
        values = {"engineer_id": self.engineers[engineer], "tier": tier, "expected_sequence": sequence}
        assert self.run(Action.ASSIGN, **values) is allowed
        if allowed:
            self.open(engineer, tier)

    def can_hand_over(self, engineer, sequence):
        current = self.current
        return not self.is_stale(sequence) and current is not None and self.assigned_to[current] != engineer

    @rule(engineer=engineers, tier=st.none() | st.integers(1, TOP_TIER), sequence=sequences)
    def escalate(self, engineer, tier, sequence):
        current = self.current
        allowed = (
            self.can_hand_over(engineer, sequence)
            and self.tiers[current] < (tier or self.tiers[current] + 1) <= TOP_TIER
        )
        values = {"next_engineer_id": self.engineers[engineer], "next_tier": tier}
        assert self.run(Action.ESCALATE, expected_sequence=sequence, **values) is allowed
        if allowed:
            self.end(current, AssignmentStatus.ESCALATED)
            self.open(engineer, tier or self.tiers[current] + 1)

    @rule(engineer=engineers, sequence=sequences)
    def reassign(self, engineer, sequence):
        current, allowed = self.current, self.can_hand_over(engineer, sequence)
        values = {"engineer_id": self.engineers[engineer], "expected_sequence": sequence}
        assert self.run(Action.REASSIGN, **values) is allowed
        if allowed:
            self.end(current, AssignmentStatus.CANCELLED)
            self.open(engineer, self.tiers[current])

    def choose(self, chance):
        """An assignment and its index; an unknown id without an index if the history is empty."""
        if not self.previous:
            return NOTHING, None
        index = int(chance * len(self.previous))
        return self.previous[index].id, index

    def change(self, action, chance, status, ticket_status, *, actor=DISPATCHER, is_own=True, **values):
        assignment, index = self.choose(chance)
        allowed = index is not None and is_own and self.statuses[index] in ALLOWED_FROM[action]
        assert self.run(action, assignment, actor, **values) is allowed
        if allowed:
            self.end(index, status or self.statuses[index])
            self.ticket_status = ticket_status or self.ticket_status
            self.hours[index] = values.get("time_spent_hours", self.hours[index])

    @rule(chance=chances, engineer=engineers)
    def accept(self, chance, engineer):
        _, index = self.choose(chance)
        is_own = index is not None and self.assigned_to[index] == engineer
        actor = as_engineer(self.engineers[engineer])
        self.change(Action.ACCEPT, chance, AssignmentStatus.ACCEPTED, None, actor=actor, is_own=is_own)

    @rule(chance=chances, move=st.sampled_from(MOVES))
    def move(self, chance, move):
        action, *statuses = move
        self.change(action, chance, *statuses)

    @rule(chance=chances, outcome=outcomes)
    def complete(self, chance, outcome):
        values = {"completion_status": outcome, "time_spent_hours": Decimal("0.25")}
        if outcome is CompletionStatus.ESCALATED:
            assert not self.run(Action.COMPLETE, self.choose(chance)[0], **values)
        else:
            self.change(Action.COMPLETE, chance, *AFTER_COMPLETE[outcome], **values)

    @rule(chance=chances, rating=st.integers(-1, 7))
    def rate(self, chance, rating):
        if 1 <= rating <= 5:
            self.change(Action.RATE, chance, None, None, rating=rating)
        else:
            with pytest.raises(InvalidInput):
                self.run(Action.RATE, rating=rating)

    @rule(chance=chances, hours=st.decimals(0, 2, places=2))
    def correct(self, chance, hours):
        assignment, index = self.choose(chance)
        if index is not None and self.hours[index] == hours:
            assert not self.run(Action.CORRECT, assignment, time_spent_hours=hours)
        else:
            self.change(Action.CORRECT, chance, None, None, time_spent_hours=hours)

    @invariant()
    def history_is_consistent(self):
        async def read():
            return (
                await self.world.history(self.ticket),
                await self.world.ticket(self.ticket),
                await self.world.events(self.ticket),
            )

        history, ticket, events = self.loop.run_until_complete(read())
        assert [a.assignment_sequence for a in history] == list(range(1, len(history) + 1))
        assert sum(a.status in ACTIVE for a in history) <= 1
        assert all(a.status not in ACTIVE for a in history[:-1])
        assert [(a.status, a.assignment_tier) for a in history] == list(
            zip(self.statuses, self.tiers, strict=True)
        )
        assert [a.time_spent_hours for a in history] == self.hours
        assert ticket.status is self.ticket_status
        assert len(events) == self.events
        for old, new in zip(self.previous, history, strict=False):
            if old.status not in ACTIVE:
                assert (new.status, new.completed_at) == (old.status, old.completed_at)
        self.previous = history


def test_history_is_consistent_after_any_commands(fresh_url):
    loop = asyncio.new_event_loop()

    async def opened_database():
        async with open_database(fresh_url, pool_size=2) as db:
            yield db

    opened = opened_database()
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
