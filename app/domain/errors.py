"""Everything a caller can do wrong, as data that says what to do next.

Each refusal is one type of the API, with these fields: a new one needs nothing but its class here
and its place in the REFUSALS of the commands that give it.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from app.domain.lifecycle import Action
from app.domain.model import Assignment, AssignmentId, EngineerId, TicketId, TicketStatus


class RefusalCode(StrEnum):
    TICKET_NOT_FOUND = "TICKET_NOT_FOUND"
    TICKET_NOT_OPEN = "TICKET_NOT_OPEN"
    TICKET_ALREADY_ASSIGNED = "TICKET_ALREADY_ASSIGNED"
    NO_CURRENT_ASSIGNMENT = "NO_CURRENT_ASSIGNMENT"
    ASSIGNMENT_NOT_FOUND = "ASSIGNMENT_NOT_FOUND"
    TRANSITION_NOT_ALLOWED = "TRANSITION_NOT_ALLOWED"
    ENGINEER_NOT_FOUND = "ENGINEER_NOT_FOUND"
    ENGINEER_INACTIVE = "ENGINEER_INACTIVE"
    SAME_ENGINEER = "SAME_ENGINEER"
    NO_HIGHER_TIER = "NO_HIGHER_TIER"
    TIER_NOT_HIGHER = "TIER_NOT_HIGHER"
    STALE_SEQUENCE = "STALE_SEQUENCE"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    FORBIDDEN = "FORBIDDEN"
    INVALID_INPUT = "INVALID_INPUT"


def _says(description: str, default: object = MISSING) -> Any:  # noqa: ANN401 - takes the type of its annotation
    return field(default=default, metadata={"description": description})


@dataclass(eq=False)
class DomainError(Exception):
    """A refusal: the command changed nothing, and the caller can act on why."""

    code: ClassVar[RefusalCode]
    template: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.code = RefusalCode(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).upper())

    @property
    def message(self) -> str:
        return self.template.format(**vars(self))

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class TicketNotFound(DomainError):
    """There is no such ticket, or it is not yours to see."""

    ticket_id: TicketId = _says("The id that was given.")
    template = "There is no ticket {ticket_id}."


@dataclass(eq=False)
class TicketNotOpen(DomainError):
    """The ticket is resolved, closed or cancelled and takes no new assignment."""

    ticket_id: TicketId = _says("The ticket.")
    status: TicketStatus = _says("What it is now.")
    template = "Ticket {ticket_id} is {status} and takes no new assignment."


@dataclass(eq=False)
class TicketAlreadyAssigned(DomainError):
    """Somebody holds the ticket. To hand it over, escalate or reassign."""

    current_assignment: Assignment = _says("Who holds it.")
    template = (
        "Ticket {current_assignment.ticket_id} is already assigned; escalate or reassign to hand it over."
    )


@dataclass(eq=False)
class NoCurrentAssignment(DomainError):
    """Nobody holds the ticket. Assign it first."""

    ticket_id: TicketId = _says("The ticket.")
    template = "Nobody holds ticket {ticket_id}; assign it first."


@dataclass(eq=False)
class AssignmentNotFound(DomainError):
    """There is no such assignment, or it is not yours."""

    assignment_id: AssignmentId = _says("The id that was given.")
    template = "There is no assignment {assignment_id}."


@dataclass(eq=False)
class TransitionNotAllowed(DomainError):
    """The assignment is not in a state that this action starts from."""

    assignment: Assignment = _says("The assignment as it is now.")
    action: Action = _says("What was asked for.")
    current_assignment: Assignment | None = _says("Who holds the ticket now; null when nobody does.", None)
    template = "An assignment that is {assignment.status} cannot {action}."


@dataclass(eq=False)
class EngineerNotFound(DomainError):
    """There is no such engineer."""

    engineer_id: EngineerId = _says("The id that was given.")
    template = "There is no engineer {engineer_id}."


@dataclass(eq=False)
class EngineerInactive(DomainError):
    """The engineer takes no work now. Choose another."""

    engineer_id: EngineerId = _says("The engineer.")
    template = "Engineer {engineer_id} is inactive; choose another."


@dataclass(eq=False)
class SameEngineer(DomainError):
    """The engineer holds the ticket already. Choose another."""

    current_assignment: Assignment = _says("What the engineer holds.")
    template = "Engineer {current_assignment.engineer_id} holds this ticket already; choose another."


@dataclass(eq=False)
class NoHigherTier(DomainError):
    """The assignment is at the last tier. Reassign within the tier instead."""

    tier: int = _says("The tier it is at.")
    template = "Tier {tier} is the last; reassign within it instead."


@dataclass(eq=False)
class TierNotHigher(DomainError):
    """An escalation goes up. To stay at the tier, reassign."""

    current_tier: int = _says("The tier it is at.")
    next_tier: int = _says("The tier that was asked for.")
    template = "Tier {next_tier} is not higher than tier {current_tier}; to stay at it, reassign."


@dataclass(eq=False)
class StaleSequence(DomainError):
    """The ticket has moved on since you looked. Look again, then decide."""

    current_sequence: int = _says("The highest sequence of the ticket now; 0 when it never had one.")
    current_assignment: Assignment | None = _says("Who holds it now; null when nobody does.")
    template = "The ticket has moved on to sequence {current_sequence}; look again, then decide."


@dataclass(eq=False)
class IdempotencyKeyReused(DomainError):
    """The key has made another change. Use a new key for a new wish."""

    idempotency_key: str = _says("The key.")
    template = "Key {idempotency_key} was used for another request; use a new one."


@dataclass(eq=False)
class Forbidden(DomainError):
    """Your role does not do this."""

    action: Action = _says("What was asked for.")
    template = "Your role may not {action}; ask a dispatcher."

    @property
    def message(self) -> str:
        if self.action is Action.SET_HOURLY_RATE:
            return "Your role may not set an hourly rate; ask an admin."
        return super().message


@dataclass(eq=False)
class InvalidInput(DomainError):
    """A value is out of its bounds. Correct it and send again."""

    field: str = _says("The input field, as the input type spells it.")
    problem: str = _says("What is wrong with it.")
    template = "{field} {problem}."
