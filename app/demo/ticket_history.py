"""Simulates the history of one demo ticket by running commands without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.cancel_ticket import CancelTicket, cancel_ticket
from app.commands.close_ticket import CloseTicket, close_ticket
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.start import StartAssignment, start_assignment
from app.commands.ticket_state import Change, TicketState
from app.demo import fixtures
from app.demo.random_data import RandomData
from app.domain.events import EventType, TicketField
from app.domain.lifecycle import ACTIVE, Action
from app.domain.model import (
    TOP_TIER,
    Actor,
    Assignment,
    AssignmentId,
    AssignmentType,
    CompletionStatus,
    Engineer,
    EngineerId,
    Role,
    Ticket,
    TicketDetails,
    TicketId,
    TicketPriority,
    TicketStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.commands.command import Command

Step: TypeAlias = "tuple[timedelta, Actor, Callable[[Any, TicketState], Change], Command]"
"""The time since the step before, the actor, and the command with its function."""

LAST_ASSIGNED = timedelta(days=45)
"""Engineers who are inactive now got their last assignment before this age; no assignment takes as long."""

_DISPATCHER = Actor("dispatcher@demo", Role.DISPATCHER)
RULES = Actor("rules@demo", Role.DISPATCHER)
_assign_by_rule = partial(assign_ticket, assignment_type=AssignmentType.AUTO)
_ASSIGNMENT_COUNTS = {0: 2, 1: 20, 2: 27, 3: 25, 4: 15, 5: 11}
"""Assignments of a ticket until it is resolved or cancelled, weighted."""
_ENDINGS: Mapping[Action | CompletionStatus, int] = {
    Action.ESCALATE: 40,
    Action.REJECT: 14,
    Action.REASSIGN: 12,
    Action.CANCEL: 6,
    CompletionStatus.PARTS_REQUIRED: 13,
    CompletionStatus.CUSTOMER_UNAVAILABLE: 7,
    CompletionStatus.FAILED: 8,
}
"""How an assignment ends that is not the last one, weighted."""
_ACTIONS_TAKEN = {
    CompletionStatus.SUCCESS: "{remedy}",
    CompletionStatus.PARTS_REQUIRED: "Found the cause and secured the machine. To order: {part}.",
    CompletionStatus.CUSTOMER_UNAVAILABLE: "Travelled to the site and back.",
    CompletionStatus.FAILED: "{remedy} The fault came back during the final test.",
}
_RATINGS = {5: 45, 4: 30, 3: 12, 2: 8, 1: 5}
_SLOWNESS = {
    TicketPriority.CRITICAL: 0.4,
    TicketPriority.HIGH: 0.7,
    TicketPriority.MEDIUM: 1.0,
    TicketPriority.LOW: 1.5,
}


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """An event of a ticket, with the assignment after it; None for an event of the ticket itself."""

    type: EventType
    ticket_id: TicketId
    assignment: Assignment | None
    actor: Actor
    recorded_at: datetime
    changes: Mapping[str, object] | None
    ticket_version: int
    details: Mapping[str, object] | None = None


@dataclass(slots=True)
class TicketHistory:
    """A ticket at the simulated time `at`, with its assignments and events until then."""

    random: RandomData
    engineers: Mapping[int, Sequence[Engineer]]
    """Engineers with the required skill, by minimum level."""
    fault: fixtures.Fault
    ticket: Ticket
    details: TicketDetails
    at: datetime
    now: datetime
    assignments: list[Assignment] = field(default_factory=list)
    events: list[DemoEvent] = field(default_factory=list)

    def simulate(self) -> None:
        """Run until the ticket is closed or cancelled, or until `now`."""
        values = {**asdict(self.ticket), **asdict(self.details)}
        changes = {f.value: (None, values[f]) for f in TicketField if values[f] is not None}
        self._add_event(EventType.TICKET_CREATED, None, _DISPATCHER, changes)
        count = self.random.weighted(_ASSIGNMENT_COUNTS)
        is_withdrawn = count == 0 or self.random.chance(0.05)
        for delay, actor, decide, command in self._steps(count, is_withdrawn=is_withdrawn):
            if not self._advance(delay):
                return
            self._execute(actor, decide, command)
        if self._advance(self.random.hours(0.1, 6) if is_withdrawn else self.random.hours(12, 96)):
            ticket_id = self.ticket.id
            if is_withdrawn:
                reason = self._last.cancellation_reason if self.assignments else None
                reason = reason or fixtures.WITHDRAWAL_REASONS[0]
                self._execute(_DISPATCHER, cancel_ticket, CancelTicket(ticket_id=ticket_id, reason=reason))
            else:
                self._execute(_DISPATCHER, close_ticket, CloseTicket(ticket_id=ticket_id))

    def _advance(self, delay: timedelta) -> bool:
        """Advance the time; returns False if that would be after `now`."""
        if self.at + delay > self.now:
            return False
        self.at += delay
        return True

    def _execute(self, actor: Actor, decide: Callable[[Any, TicketState], Change], command: Command) -> None:
        """Run the command's function and apply its change in memory."""
        assignment = self._last if self._has_current or command.target_assignment_id else None
        state = TicketState(
            self.ticket,
            self.details,
            assignment,
            len(self.assignments),
            engineer_is_active=True,
            actor=actor,
            now=self.at,
        )
        change = decide(command, state)
        after = state.after(change)
        self.ticket, self.details = after.ticket, after.details
        for index, (event, changed) in enumerate(change.events):
            changes = after.changes if index == len(change.events) - 1 else None
            stored = None if changed is None else self._store(changed)
            self._add_event(event, stored, actor, changes, change.details)

    def _store(self, changed: Assignment) -> Assignment:
        index = changed.assignment_sequence - 1
        if index >= len(self.assignments):
            # Replaces the random id of the command by a reproducible one.
            changed = replace(changed, id=AssignmentId(self.random.uuid()))
            self.assignments.append(changed)
        else:
            self.assignments[index] = changed
        return changed

    def _add_event(
        self,
        type_: EventType,
        assignment: Assignment | None,
        actor: Actor,
        changes: Mapping[str, object] | None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        self.events.append(
            DemoEvent(
                type_,
                self.ticket.id,
                assignment,
                actor,
                self.at,
                changes or None,
                self.details.version,
                details,
            )
        )

    @property
    def _last(self) -> Assignment:
        return self.assignments[-1]

    @property
    def _has_current(self) -> bool:
        return bool(self.assignments) and self._last.status in ACTIVE

    @property
    def _engineer(self) -> Actor:
        """The engineer of the last assignment."""
        engineer_id = self._last.engineer_id
        return Actor(f"engineer:{engineer_id}", Role.ENGINEER, engineer_id)

    def _steps(self, count: int, *, is_withdrawn: bool) -> Iterator[Step]:
        for number in range(1, count + 1):
            is_last = number == count
            ending = self.random.weighted(_ENDINGS)
            if is_last:
                ending = Action.CANCEL if is_withdrawn else CompletionStatus.SUCCESS
            if not self._has_current:
                yield self._assign()
            yield from self._accept_and_start(ending)
            if isinstance(ending, CompletionStatus):
                yield self._complete(ending)
            else:
                yield self._end_early(
                    ending, fixtures.WITHDRAWAL_REASONS if is_last else fixtures.CANCELLATION_REASONS
                )
        if not is_withdrawn and self.random.chance(0.5):
            rating = self.random.weighted(_RATINGS)
            feedback = self.random.choice(fixtures.FEEDBACK[rating])
            rate = RateAssignment(assignment_id=self._last.id, rating=rating, feedback=feedback)
            yield self.random.hours(1, 48), _DISPATCHER, rate_assignment, rate

    def _assign(self) -> Step:
        tier = self._last.assignment_tier if self.assignments else self.random.weighted({1: 85, 2: 15})
        is_automatic = not self.assignments and self.random.chance(0.6)
        command = AssignTicket(
            ticket_id=self.ticket.id,
            engineer_id=self._choose_engineer(tier),
            tier=tier,
            reason=self.random.choice(fixtures.ASSIGNMENT_REASONS),
        )
        is_on_hold = self.ticket.status is TicketStatus.ON_HOLD
        delay = self.random.hours(12, 140) if is_on_hold else self._delay(0.1, 8)
        decide = _assign_by_rule if is_automatic else assign_ticket
        return delay, RULES if is_automatic else _DISPATCHER, decide, command

    def _accept_and_start(self, ending: Action | CompletionStatus) -> Iterator[Step]:
        """Yield the steps that the ending allows or requires."""
        is_completed = isinstance(ending, CompletionStatus)
        if not is_completed and self.random.chance(0.3):
            return
        starts = ending is not Action.REJECT and self.random.chance(0.95 if is_completed else 0.6)
        # Some start without accepting, which accepts as well.
        if not starts or self.random.chance(0.9):
            accept = AcceptAssignment(assignment_id=self._last.id)
            yield self._delay(0.05, 3), self._engineer, accept_assignment, accept
        if starts:
            start = StartAssignment(assignment_id=self._last.id)
            yield self._delay(0.5, 20), self._engineer, start_assignment, start

    def _complete(self, outcome: CompletionStatus) -> Step:
        is_unavailable = outcome is CompletionStatus.CUSTOMER_UNAVAILABLE
        delay = self.random.hours(0.2, 1) if is_unavailable else self.random.hours(1, 20)
        is_success = outcome is CompletionStatus.SUCCESS
        part = self.fault.part
        command = CompleteAssignment(
            assignment_id=self._last.id,
            completion_status=outcome,
            # Less than the time since the start.
            time_spent_hours=round(Decimal(delay.seconds * self.random.uniform(0.4, 0.8)) / 3600, 2),
            diagnosis=None if is_unavailable else self.fault.diagnosis,
            actions_taken=_ACTIONS_TAKEN[outcome].format(remedy=self.fault.remedy, part=part.part_name),
            parts_used=(part,) if is_success and self.random.chance(0.8) else (),
            notes=self.random.choice(fixtures.UNAVAILABLE_NOTES) if is_unavailable else None,
        )
        return delay, self._engineer, complete_assignment, command

    def _end_early(self, action: Action, cancellation_reasons: Sequence[str]) -> Step:
        """End the assignment without completing it."""
        last, choice = self._last, self.random.choice
        delay = self._delay(0.2, 12)
        if action is Action.REJECT:
            reject = RejectAssignment(assignment_id=last.id, reason=choice(fixtures.REJECTION_REASONS))
            return delay, self._engineer, reject_assignment, reject
        if action is Action.CANCEL:
            cancel = CancelAssignment(assignment_id=last.id, reason=choice(cancellation_reasons))
            return delay, _DISPATCHER, cancel_assignment, cancel
        if action is Action.ESCALATE and last.assignment_tier < TOP_TIER:
            escalate = EscalateTicket(
                ticket_id=self.ticket.id,
                reason=choice(fixtures.ESCALATION_REASONS),
                next_engineer_id=self._choose_engineer(last.assignment_tier + 1),
            )
            return delay, _DISPATCHER, escalate_ticket, escalate
        reassign = ReassignTicket(
            ticket_id=self.ticket.id,
            engineer_id=self._choose_engineer(last.assignment_tier),
            reason=choice(fixtures.REASSIGNMENT_REASONS),
        )
        return delay, _DISPATCHER, reassign_ticket, reassign

    def _choose_engineer(self, tier: int) -> EngineerId:
        """Choose an engineer who has not had the ticket; if there is none, anyone but the last one."""
        is_long_ago = self.at < self.now - LAST_ASSIGNED
        candidates = [e.id for e in self.engineers[min(tier, 3)] if e.is_active or is_long_ago]
        previous = [a.engineer_id for a in self.assignments]
        return self.random.choice(
            [one for one in candidates if one not in previous]
            or [one for one in candidates if one != previous[-1]]
        )

    def _delay(self, min_hours: float, max_hours: float) -> timedelta:
        slowness = _SLOWNESS[self.ticket.priority]
        return self.random.hours(min_hours * slowness, max_hours * slowness)
