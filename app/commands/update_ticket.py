"""Change fields of a ticket."""

from __future__ import annotations

from dataclasses import replace

from app.commands import ticket_command
from app.commands.command import UNCHANGED, command_dataclass, command_field, text_field
from app.commands.ticket_command import TicketCommand
from app.commands.ticket_state import Change, TicketState
from app.domain import errors, values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import EquipmentId, TicketPriority

REFUSALS = (errors.EquipmentNotFound, *ticket_command.REFUSALS)
_FIELDS = (
    "priority",
    "customer_name",
    "issue_category",
    "issue_description",
    "equipment_id",
    "contact_name",
    "contact_phone",
    "site_address",
)


@command_dataclass
class UpdateTicket(TicketCommand):
    """Change fields of a ticket that is not closed or cancelled. Others stay; null empties a field."""

    action = Action.UPDATE_TICKET
    priority: TicketPriority | None = command_field("Urgency; must not be null.", default=UNCHANGED)
    customer_name: str | None = text_field(
        "Name of the customer who owns the equipment.", max_length=values.SHORT, default=UNCHANGED
    )
    issue_category: str | None = text_field(
        "Category of the fault.", max_length=values.SHORT, default=UNCHANGED
    )
    issue_description: str | None = text_field("The customer's description of the fault.", default=UNCHANGED)
    equipment_id: EquipmentId | None = command_field(
        "The faulty equipment. The current assignment follows; ended assignments keep theirs.",
        values.equipment_id,
        default=UNCHANGED,
    )
    contact_name: str | None = text_field(
        "Name of the person to contact on site.", max_length=values.SHORT, default=UNCHANGED
    )
    contact_phone: str | None = text_field(
        "Telephone number of the contact person.", max_length=values.PHONE, default=UNCHANGED
    )
    site_address: str | None = text_field(
        "Address where the equipment stands.", max_length=values.ADDRESS, default=UNCHANGED
    )


def update_ticket(command: UpdateTicket, state: TicketState) -> Change:
    state.require_ticket_status(command.action)
    given = {name: getattr(command, name) for name in _FIELDS if getattr(command, name) is not UNCHANGED}
    if not given:
        raise errors.InvalidInput("ticketId", "is not enough: set at least one field to change")
    if "priority" in given and given["priority"] is None:
        raise errors.InvalidInput("priority", "must not be null")
    equipment_id = given.get("equipment_id")
    if equipment_id is not None and not state.equipment_exists:
        raise errors.EquipmentNotFound(equipment_id)
    current = state.assignment
    moved = ()
    if current is not None and "equipment_id" in given and current.equipment_id != equipment_id:
        moved = (replace(current, equipment_id=equipment_id, updated_at=state.now),)  # type: ignore[assignment] # of one item
    change = Change(((EventType.TICKET_UPDATED, None),), ticket=given, unrecorded=moved)
    # Without a difference, there is nothing to record.
    return change if state.after(change).changes else Change(())
