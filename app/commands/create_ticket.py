"""Create a ticket."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from app.commands.command import TICKET_REFUSALS, Command, command_dataclass, command_field, text_field
from app.commands.run import (
    OnReplay,
    hash_command,
    ignore_replay,
    rejections,
    require_permission,
)
from app.db.errors import ConcurrentChange
from app.domain import errors, values
from app.domain.declarations import api_field, row_dataclass
from app.domain.events import EventSource, TicketField
from app.domain.lifecycle import DEFAULT_RULES, TERMINAL_TICKET_STATUSES, Action, TicketRules
from app.domain.model import (
    NO_AUDIT_CONTEXT,
    Actor,
    AuditContext,
    EquipmentId,
    Ticket,
    TicketDetails,
    TicketId,
    TicketPriority,
    TicketStatus,
)
from app.queries import new_tickets, tickets
from app.queries.new_tickets import NewTicket, NewTicketRequest, NewTicketSnapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.db.connections import Autocommit, Connection, Tx
    from app.db.pool import Database

    Insert: TypeAlias = Callable[[Tx | Autocommit], Awaitable[str | None]]

REFUSALS = (
    errors.EquipmentNotFound,
    errors.TicketNotFound,
    errors.AlreadyInUse,
    *TICKET_REFUSALS,
)
NUMBER_LENGTH = 50
_CONCURRENT_INSERT_CONSTRAINTS = (
    "idempotency_keys_",
    "service_tickets_ticket_number_key",
    "ticket_details_created_number",
    "ticket_external_ids_",
)
_MAX_NUMBERS = 50
"""Numbers of the sequence that may belong to tickets of other applications, in a row."""


@command_dataclass
class CreateTicket(Command):
    """Create a ticket. A known external id returns the existing ticket and changes nothing."""

    action = Action.CREATE_TICKET
    ticket_number: str | None = text_field(
        "Ticket number; the next free one by default.", max_length=NUMBER_LENGTH, default=None
    )
    external_source: str | None = text_field(
        "Name of another system that has the ticket, such as `sap-pm`; with `externalId`.",
        max_length=100,
        default=None,
    )
    external_id: str | None = text_field(
        "Id of the ticket in that system. If a ticket has it, that ticket is returned unchanged.",
        max_length=values.SHORT,
        default=None,
    )
    priority: TicketPriority = command_field("Urgency.", default=TicketPriority.MEDIUM)
    customer_name: str | None = text_field(
        "Name of the customer who owns the equipment.", max_length=values.SHORT, default=None
    )
    issue_category: str | None = text_field("Category of the fault.", max_length=values.SHORT, default=None)
    issue_description: str | None = text_field("The customer's description of the fault.", default=None)
    equipment_id: EquipmentId | None = command_field(
        "The faulty equipment.", values.equipment_id, default=None
    )
    contact_name: str | None = text_field(
        "Name of the person to contact on site.", max_length=values.SHORT, default=None
    )
    contact_phone: str | None = text_field(
        "Telephone number of the contact person.", max_length=values.PHONE, default=None
    )
    site_address: str | None = text_field(
        "Address where the equipment stands.", max_length=values.ADDRESS, default=None
    )
    follow_up_of_id: TicketId | None = command_field(
        "The ticket that this one follows up; it must not be open.", values.ticket_id, default=None
    )


@row_dataclass
class CreatedTicket:
    """The ticket that was created or found."""

    ticket: Ticket = api_field("The ticket that was created or found.")
    created: bool = api_field(
        "Whether the request created it. False: a ticket with this external id existed, and nothing changed."
    )


def create_ticket(command: CreateTicket, snapshot: NewTicketSnapshot) -> None:
    """Raises refusals."""
    if (command.external_source is None) != (command.external_id is None):
        raise errors.InvalidInput("externalId", "needs externalSource, and the reverse")
    if command.equipment_id is not None and not snapshot.equipment_exists:
        raise errors.EquipmentNotFound(command.equipment_id)
    if command.ticket_number is not None and snapshot.ticket_with_number is not None:
        raise errors.AlreadyInUse("ticketNumber", command.ticket_number, snapshot.ticket_with_number)
    if command.follow_up_of_id is not None:
        if snapshot.followed_status is None:
            raise errors.TicketNotFound(command.follow_up_of_id)
        if snapshot.followed_status not in TERMINAL_TICKET_STATUSES:
            raise errors.InvalidInput(
                "followUpOfId", "must be a ticket that is resolved, closed or cancelled"
            )


async def run_on_new_tickets(
    db: Database,
    actor: Actor,
    decide: Callable[[CreateTicket, NewTicketSnapshot], None],
    command: CreateTicket,
    *,
    idempotency_key: str | None = None,
    audit_context: AuditContext = NO_AUDIT_CONTEXT,
    on_replay: OnReplay = ignore_replay,
    rules: TicketRules = DEFAULT_RULES,  # noqa: ARG001 - every runner gets them
    source: EventSource = EventSource.PERSON,
) -> CreatedTicket:
    """Run like `run`, without a lock: there is no ticket yet. Keys make concurrent duplicates conflict.

    Raises the refusals of the command, and Unavailable.
    """
    require_permission(actor, command)
    request_hash = hash_command(command)
    request = NewTicketRequest(
        actor.subject,
        idempotency_key,
        command.external_source,
        command.external_id,
        command.equipment_id,
        command.follow_up_of_id,
        command.ticket_number,
    )

    async def execute(conn: Connection, write: Callable[[Insert], Awaitable[str | None]]) -> CreatedTicket:
        snapshot = await new_tickets.snapshot(conn, request)
        if idempotency_key is not None and snapshot.request_hash is not None:
            if snapshot.request_hash != request_hash or snapshot.ticket_of_key is None:
                raise errors.IdempotencyKeyReused(idempotency_key)
            on_replay()
            [ticket] = await tickets.by_ids(conn, [snapshot.ticket_of_key])
            return CreatedTicket(ticket, created=True)
        if snapshot.ticket_with_external_id is not None:
            [ticket] = await tickets.by_ids(conn, [snapshot.ticket_with_external_id])
            return CreatedTicket(ticket, created=False)
        decide(command, snapshot)
        new = _new_ticket(command, snapshot, actor, source, audit_context)
        for _ in range(_MAX_NUMBERS):
            number = await write(
                lambda tx: new_tickets.insert(
                    tx, new, idempotency_key=idempotency_key, request_hash=request_hash
                )
            )
            if number is not None:
                return CreatedTicket(replace(new.ticket, ticket_number=number), created=True)
            if command.ticket_number is not None:
                break
        raise ConcurrentChange

    async def in_two_round_trips() -> CreatedTicket:
        async with db.connection() as conn:
            return await execute(conn, lambda insert: db.autocommit(conn, insert))

    async def in_transaction(tx: Tx) -> CreatedTicket:
        return await execute(tx, lambda insert: insert(tx))

    with rejections():
        return await db.in_transaction(
            in_transaction,
            fast_path=in_two_round_trips,
            retry_on=_CONCURRENT_INSERT_CONSTRAINTS,
        )


def _new_ticket(
    command: CreateTicket,
    snapshot: NewTicketSnapshot,
    actor: Actor,
    source: EventSource,
    audit_context: AuditContext,
) -> NewTicket:
    ticket = Ticket(
        id=TicketId(str(uuid4())),
        ticket_number=command.ticket_number or "",
        status=TicketStatus.NEW,
        priority=command.priority,
        customer_name=command.customer_name,
        issue_category=command.issue_category,
        issue_description=command.issue_description,
        equipment_id=command.equipment_id,
        created_at=snapshot.now,
        updated_at=snapshot.now,
        started_at=None,
        resolved_at=None,
        closed_at=None,
    )
    details = TicketDetails(
        ticket.id,
        contact_name=command.contact_name,
        contact_phone=command.contact_phone,
        site_address=command.site_address,
        waiting_since=snapshot.now,
        follow_up_of=command.follow_up_of_id,
    )
    columns = {**asdict(ticket), **asdict(details)}
    changes = {f.value: (None, columns[f]) for f in TicketField if columns[f] not in (None, "")}
    external_id = (
        None
        if command.external_source is None or command.external_id is None
        else (command.external_source, command.external_id)
    )
    return NewTicket(ticket, details, changes, external_id, actor.subject, source, audit_context)
