"""The life of one demo ticket: who got it, in which order, and how each turn ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.start import StartAssignment, start_assignment
from app.commands.ticket_state import Change, TicketState
from app.demo import fixtures
from app.demo.random_data import RandomData
from app.domain.lifecycle import ACTIVE, Action, EventType
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
    TicketPriority,
    TicketStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.commands.command import Command

Move: TypeAlias = "tuple[timedelta, Actor, Callable[[Any, TicketState], Change], Command]"
"""How long after the move before, who, and what."""

LAST_ASSIGNED = timedelta(days=45)
"""How long ago those who are inactive today got their last ticket. No turn takes as long as that."""

_DISPATCHER = Actor("dispatcher@demo", Role.DISPATCHER)
_RULES = Actor("rules@demo", Role.DISPATCHER)
_TURNS = {0: 2, 1: 20, 2: 27, 3: 25, 4: 15, 5: 11}
"""How many turns a ticket needs until it is resolved or withdrawn, weighted."""
_ENDINGS: Mapping[Action | CompletionStatus, int] = {
    Action.ESCALATE: 40,
    Action.REJECT: 14,
    Action.REASSIGN: 12,
    Action.CANCEL: 6,
    CompletionStatus.PARTS_REQUIRED: 13,
    CompletionStatus.CUSTOMER_UNAVAILABLE: 7,
    CompletionStatus.FAILED: 8,
}
"""How a turn ends that is not the last, weighted."""
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


@dataclass(slots=True)
class Life:
    """A ticket at the moment `at`, its assignments as they are then, and all that happened to them."""

    dice: RandomData
    crews: Mapping[int, Sequence[Engineer]]
    """Who can repair the machine, by the lowest level that will do."""
    fault: fixtures.Fault
    ticket: Ticket
    at: datetime
    now: datetime
    assignments: list[Assignment] = field(default_factory=list)
    events: list[tuple[EventType, Assignment, Actor]] = field(default_factory=list)

    def play(self) -> None:
        """Until the ticket is closed or cancelled, or until `now`."""
        turns = self.dice.weighted(_TURNS)
        withdrawn = turns == 0 or self.dice.chance(0.05)
        for wait, actor, decide, wish in self._story(turns, withdrawn=withdrawn):
            if not self._pass(wait):
                return
            self._move(actor, decide, wish)
        if self._pass(self.dice.hours(0.1, 6) if withdrawn else self.dice.hours(12, 96)):
            self._become(TicketStatus.CANCELLED if withdrawn else TicketStatus.CLOSED)

    def _pass(self, time: timedelta) -> bool:
        """Whether `now` is not passed by it."""
        if self.at + time > self.now:
            return False
        self.at += time
        return True

    def _move(self, actor: Actor, decide: Callable[[Any, TicketState], Change], wish: Command) -> None:
        """Let a command decide, and keep what it would have written."""
        seen = self._latest if self._is_held or wish.target_assignment_id else None
        locked = TicketState(
            self.ticket, seen, len(self.assignments), engineer_is_active=True, actor=actor, now=self.at
        )
        change = decide(wish, locked)
        for event, assignment in change.events:
            if assignment.assignment_sequence > len(self.assignments):
                # A command draws a random id; this one comes out the same every time.
                self.assignments.append(replace(assignment, id=AssignmentId(self.dice.uuid())))
            else:
                self.assignments[assignment.assignment_sequence - 1] = assignment
            self.events.append((event, self.assignments[assignment.assignment_sequence - 1], actor))
        if change.ticket_status is not None:
            self._become(change.ticket_status)

    def _become(self, status: TicketStatus) -> None:
        ticket = self.ticket
        started = status is TicketStatus.IN_PROGRESS and ticket.started_at is None
        self.ticket = replace(
            ticket,
            status=status,
            updated_at=self.at,
            started_at=self.at if started else ticket.started_at,
            resolved_at=self.at if status is TicketStatus.RESOLVED else ticket.resolved_at,
            closed_at=self.at if status is TicketStatus.CLOSED else None,
        )

    @property
    def _latest(self) -> Assignment:
        return self.assignments[-1]

    @property
    def _is_held(self) -> bool:
        return bool(self.assignments) and self._latest.status in ACTIVE

    def _story(self, turns: int, *, withdrawn: bool) -> Iterator[Move]:
        for turn in range(1, turns + 1):
            last = turn == turns
            ending = self.dice.weighted(_ENDINGS)
            if last:
                ending = Action.CANCEL if withdrawn else CompletionStatus.SUCCESS
            if not self._is_held:
                yield self._assign()
            yield from self._begin(ending)
            if isinstance(ending, CompletionStatus):
                yield self._complete(ending)
            else:
                yield self._give_up(
                    ending, fixtures.WITHDRAWAL_REASONS if last else fixtures.CANCELLATION_REASONS
                )
        if not withdrawn and self.dice.chance(0.5):
            rating = self.dice.weighted(_RATINGS)
            feedback = self.dice.choice(fixtures.FEEDBACK[rating])
            rate = RateAssignment(assignment_id=self._latest.id, rating=rating, feedback=feedback)
            yield self.dice.hours(1, 48), _DISPATCHER, rate_assignment, rate

    def _assign(self) -> Move:
        tier = self._latest.assignment_tier if self.assignments else self.dice.weighted({1: 85, 2: 15})
        by_rule = not self.assignments and self.dice.chance(0.6)
        wish = AssignTicket(
            ticket_id=self.ticket.id,
            engineer_id=self._engineer(tier),
            tier=tier,
            reason=self.dice.choice(fixtures.ASSIGNMENT_REASONS),
            type=AssignmentType.AUTO if by_rule else AssignmentType.MANUAL,
        )
        on_hold = self.ticket.status is TicketStatus.ON_HOLD
        wait = self.dice.hours(12, 140) if on_hold else self._soon(0.1, 8)
        return wait, _RULES if by_rule else _DISPATCHER, assign_ticket, wish

    def _begin(self, ending: Action | CompletionStatus) -> Iterator[Move]:
        """Accept and start, as far as the ending allows or needs it."""
        works = isinstance(ending, CompletionStatus)
        if not works and self.dice.chance(0.3):
            return
        engineer = Actor(f"engineer:{self._latest.engineer_id}", Role.ENGINEER, self._latest.engineer_id)
        starts = ending is not Action.REJECT and self.dice.chance(0.95 if works else 0.6)
        # Some start at once, which accepts as well.
        if not starts or self.dice.chance(0.9):
            accept = AcceptAssignment(assignment_id=self._latest.id)
            yield self._soon(0.05, 3), engineer, accept_assignment, accept
        if starts:
            start = StartAssignment(assignment_id=self._latest.id)
            yield self._soon(0.5, 20), engineer, start_assignment, start

    def _complete(self, outcome: CompletionStatus) -> Move:
        held, fault = self._latest, self.fault
        engineer = Actor(f"engineer:{held.engineer_id}", Role.ENGINEER, held.engineer_id)
        away = outcome is CompletionStatus.CUSTOMER_UNAVAILABLE
        wait = self.dice.hours(0.2, 1) if away else self.dice.hours(1, 20)
        solved = outcome is CompletionStatus.SUCCESS
        wish = CompleteAssignment(
            assignment_id=held.id,
            completion_status=outcome,
            # Nobody works all the time between start and end.
            time_spent_hours=round(Decimal(wait.seconds * self.dice.uniform(0.4, 0.8)) / 3600, 2),
            diagnosis=None if away else fault.diagnosis,
            actions_taken=_ACTIONS_TAKEN[outcome].format(remedy=fault.remedy, part=fault.part.part_name),
            parts_used=(fault.part,) if solved and self.dice.chance(0.8) else (),
            notes=self.dice.choice(fixtures.UNAVAILABLE_NOTES) if away else None,
        )
        return wait, engineer, complete_assignment, wish

    def _give_up(self, how: Action, cancellation_reasons: Sequence[str]) -> Move:
        """End the turn without a result."""
        held, choice = self._latest, self.dice.choice
        actor, wait = _DISPATCHER, self._soon(0.2, 12)
        if how is Action.REJECT:
            reject = RejectAssignment(assignment_id=held.id, reason=choice(fixtures.REJECTION_REASONS))
            engineer = Actor(f"engineer:{held.engineer_id}", Role.ENGINEER, held.engineer_id)
            return wait, engineer, reject_assignment, reject
        if how is Action.CANCEL:
            cancel = CancelAssignment(assignment_id=held.id, reason=choice(cancellation_reasons))
            return wait, actor, cancel_assignment, cancel
        if how is Action.ESCALATE and held.assignment_tier < TOP_TIER:
            escalate = EscalateTicket(
                ticket_id=self.ticket.id,
                reason=choice(fixtures.ESCALATION_REASONS),
                next_engineer_id=self._engineer(held.assignment_tier + 1),
            )
            return wait, actor, escalate_ticket, escalate
        reassign = ReassignTicket(
            ticket_id=self.ticket.id,
            engineer_id=self._engineer(held.assignment_tier),
            reason=choice(fixtures.REASSIGNMENT_REASONS),
        )
        return wait, actor, reassign_ticket, reassign

    def _engineer(self, tier: int) -> EngineerId:
        """Somebody with the skill, who did not have the ticket before if there is one, else not last."""
        long_ago = self.at < self.now - LAST_ASSIGNED
        crew = [e.id for e in self.crews[min(tier, 3)] if e.is_active or long_ago]
        before = [a.engineer_id for a in self.assignments]
        return self.dice.choice(
            [one for one in crew if one not in before] or [one for one in crew if one != before[-1]]
        )

    def _soon(self, least: float, most: float) -> timedelta:
        slowness = _SLOWNESS[self.ticket.priority]
        return self.dice.hours(least * slowness, most * slowness)
