"""One valid command for each mutation, for tests that apply to all of them."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from app.commands import (
    accept,
    add_note,
    assign,
    cancel,
    cancel_ticket,
    close_ticket,
    complete,
    correct,
    create_ticket,
    escalate,
    hold_ticket,
    rate,
    reassign,
    reject,
    reopen_ticket,
    resume_ticket,
    set_hourly_rate,
    start,
    update_ticket,
)
from app.commands.command import Command, to_camel_case
from app.domain.errors import DomainError
from app.domain.lifecycle import ALLOWED_FROM, Action
from app.domain.model import (
    Assignment,
    AssignmentId,
    AssignmentStatus,
    CompletionStatus,
    EngineerId,
    TicketId,
)
from tests.factories import Factories

NEW_TICKET, TICKET = TicketId("T-1"), TicketId("T-2")
ASSIGNMENT = AssignmentId(UUID(int=10))
ENGINEER = EngineerId(UUID("0190d3a4-5b6c-7d8e-9f01-23456789abcd"))
"""The samples refer to these ids. `prepare` replaces them."""


class Prepared(NamedTuple):
    """A command that is allowed, and the engineer of its assignment or rate."""

    command: Any
    engineer_id: EngineerId


@dataclass(frozen=True)
class Sample:
    command: Command
    decide: Callable[..., Any]
    refusals: tuple[type[DomainError], ...]

    @property
    def action(self) -> Action:
        return self.command.action

    @property
    def field_name(self) -> str:
        """The root field of the mutation."""
        name = type(self.command).__name__
        return name[0].lower() + name[1:]

    def on(self, assignment: Assignment, **values: Any) -> Any:
        """The command on this assignment or its ticket, with other values than the sample."""
        ids = {"ticket_id": assignment.ticket_id, "assignment_id": assignment.id}
        return replace(with_values(self.command, ids), **values)

    async def prepare(self, make: Factories, world: Any) -> Prepared:
        """Create rows in a state that allows the command, and return the command on these rows."""
        if self.action is Action.ASSIGN:
            ticket_id, assignment_id, engineer_id = await make.ticket(), None, await make.engineer()
        else:
            assignment = await make.assigned()
            ticket_id, assignment_id = assignment.ticket_id, assignment.id
            engineer_id = assignment.engineer_id
            if self.action is Action.RESUME_TICKET:
                await world.act("hold_ticket", assignment)
            elif self.action in (Action.CLOSE_TICKET, Action.REOPEN_TICKET):
                await world.complete(assignment, "1")
            statuses = ALLOWED_FROM.get(self.action, {AssignmentStatus.ASSIGNED})
            if AssignmentStatus.ASSIGNED in statuses:
                pass
            elif AssignmentStatus.ACCEPTED in statuses:
                await world.act("accept", assignment)
            else:
                await world.escalate(assignment)
        ids = {
            "ticket_id": ticket_id,
            "assignment_id": assignment_id,
            "engineer_id": await make.engineer() if self.action is Action.REASSIGN else engineer_id,
            "next_engineer_id": await make.engineer(),
        }
        if self.action is Action.ESCALATE:
            await make.member(ids["next_engineer_id"], 2)  # otherwise the engineer may not choose them
        return Prepared(with_values(self.command, ids), engineer_id)


def with_values(command: Any, values: dict[str, Any]) -> Any:
    """Return the command with those of the values that it has fields for."""
    return replace(command, **{name: value for name, value in values.items() if hasattr(command, name)})


def to_input(command: Command) -> dict[str, Any]:
    """Return the values other than defaults as variables of the GraphQL input."""
    values = {
        f.name: getattr(command, f.name) for f in fields(command) if getattr(command, f.name) != f.default
    }
    return {to_camel_case(name): _to_json(value) for name, value in values.items()}


def _to_json(value: Any) -> Any:
    match value:
        case Enum():
            return value.name
        case datetime():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
    return value


ENGINEERS_MAY = {
    Action.ACCEPT,
    Action.REJECT,
    Action.START,
    Action.COMPLETE,
    Action.ESCALATE,
    Action.ADD_NOTE,
}
"""The actions of engineers on their own assignments, stated independently of app/domain/policy.py."""

SAMPLES = (
    Sample(
        assign.AssignTicket(ticket_id=NEW_TICKET, engineer_id=ENGINEER), assign.assign_ticket, assign.REFUSALS
    ),
    Sample(accept.AcceptAssignment(assignment_id=ASSIGNMENT), accept.accept_assignment, accept.REFUSALS),
    Sample(start.StartAssignment(assignment_id=ASSIGNMENT), start.start_assignment, start.REFUSALS),
    Sample(
        reject.RejectAssignment(assignment_id=ASSIGNMENT, reason="x"),
        reject.reject_assignment,
        reject.REFUSALS,
    ),
    Sample(
        complete.CompleteAssignment(
            assignment_id=ASSIGNMENT, completion_status=CompletionStatus.SUCCESS, time_spent_hours=Decimal(1)
        ),
        complete.complete_assignment,
        complete.REFUSALS,
    ),
    Sample(
        escalate.EscalateTicket(ticket_id=TICKET, next_engineer_id=ENGINEER, reason="x"),
        escalate.escalate_ticket,
        escalate.REFUSALS,
    ),
    Sample(
        reassign.ReassignTicket(ticket_id=TICKET, engineer_id=ENGINEER, reason="x"),
        reassign.reassign_ticket,
        reassign.REFUSALS,
    ),
    Sample(
        cancel.CancelAssignment(assignment_id=ASSIGNMENT, reason="x"),
        cancel.cancel_assignment,
        cancel.REFUSALS,
    ),
    Sample(rate.RateAssignment(assignment_id=ASSIGNMENT, rating=5), rate.rate_assignment, rate.REFUSALS),
    Sample(
        correct.CorrectTimeSpent(assignment_id=ASSIGNMENT, time_spent_hours=Decimal(2), reason="x"),
        correct.correct_time_spent,
        correct.REFUSALS,
    ),
    Sample(create_ticket.CreateTicket(), create_ticket.create_ticket, create_ticket.REFUSALS),
    Sample(
        update_ticket.UpdateTicket(ticket_id=TICKET, customer_name="St. Anna"),
        update_ticket.update_ticket,
        update_ticket.REFUSALS,
    ),
    Sample(
        hold_ticket.HoldTicket(ticket_id=TICKET, reason="x"), hold_ticket.hold_ticket, hold_ticket.REFUSALS
    ),
    Sample(resume_ticket.ResumeTicket(ticket_id=TICKET), resume_ticket.resume_ticket, resume_ticket.REFUSALS),
    Sample(close_ticket.CloseTicket(ticket_id=TICKET), close_ticket.close_ticket, close_ticket.REFUSALS),
    Sample(
        reopen_ticket.ReopenTicket(ticket_id=TICKET, reason="x"),
        reopen_ticket.reopen_ticket,
        reopen_ticket.REFUSALS,
    ),
    Sample(
        cancel_ticket.CancelTicket(ticket_id=TICKET, reason="x"),
        cancel_ticket.cancel_ticket,
        cancel_ticket.REFUSALS,
    ),
    Sample(add_note.AddNote(ticket_id=TICKET, text="x"), add_note.add_note, add_note.REFUSALS),
    Sample(
        set_hourly_rate.SetHourlyRate(
            engineer_id=ENGINEER, hourly_rate=Decimal(95), valid_from=datetime(2026, 3, 1, tzinfo=UTC)
        ),
        set_hourly_rate.set_hourly_rate,
        set_hourly_rate.REFUSALS,
    ),
)
