"""Complete an assignment, with the outcome of the work."""

from decimal import Decimal

import pytest

from app.domain.errors import InvalidInput
from app.domain.model import CompletionStatus, PartUsed, TicketStatus
from tests.factories import as_engineer

COIL = PartUsed("RF-7", "RF coil", 2, Decimal("1200.50"))


@pytest.mark.parametrize(
    ("outcome", "status", "ticket_status", "event"),
    [
        ("success", "completed", "resolved", "completed"),
        ("parts_required", "completed", "on_hold", "completed"),
        ("customer_unavailable", "completed", "on_hold", "completed"),
        ("failed", "failed", "new", "failed"),
    ],
)
async def test_outcome_decides_both_statuses(make, world, outcome, status, ticket_status, event):
    started = await world.act("start", await make.assigned())
    engineer = as_engineer(started.engineer_id)
    completed = await world.act("complete", started, engineer, completion_status=CompletionStatus(outcome))
    ticket = await world.ticket(started.ticket_id)
    assert (completed.status, completed.completion_status) == (status, outcome)
    assert ticket.status is TicketStatus(ticket_status)
    assert ticket.resolved_at == (completed.completed_at if ticket_status == "resolved" else None)
    assert (await world.events(started.ticket_id))[-1][0] == event


async def test_complete_stores_all_values(make, world):
    values = {"diagnosis": "no signal", "actions_taken": "new coil", "parts_used": (COIL,), "notes": "😀 ok"}
    completed = await world.complete(await make.assigned(), "0", **values)
    [stored] = await world.history(completed.ticket_id)
    assert completed == stored
    assert {name: getattr(stored, name) for name in values} == values
    assert stored.time_spent_hours == 0


async def test_outcome_escalated_is_refused(make, world):
    started = await world.act("start", await make.assigned())
    with pytest.raises(InvalidInput, match="use escalateTicket") as refused:
        await world.act("complete", started, completion_status=CompletionStatus.ESCALATED)
    assert refused.value.field == "completionStatus"
