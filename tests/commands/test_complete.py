"""Complete an assignment, with the outcome of the work."""

from decimal import Decimal

import pytest

from app.commands.complete import CompleteAssignment, complete_assignment
from app.domain.errors import InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, CompletionStatus, PartUsed, TicketStatus
from tests.factories import as_engineer

COIL = PartUsed("RF-7", "RF coil", 2, Decimal("1200.50"))


def completion(assignment_id, outcome=CompletionStatus.SUCCESS, hours="1.5", **values):
    return CompleteAssignment(
        assignment_id=assignment_id, completion_status=outcome, time_spent_hours=Decimal(hours), **values
    )


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
    started = await world.start(await make.assigned())
    command = completion(started.id, CompletionStatus(outcome))
    completed = await world.run(complete_assignment, command, as_engineer(started.engineer_id))
    ticket = await world.ticket(started.ticket_id)
    assert (completed.status, completed.completion_status) == (status, outcome)
    assert ticket.status is TicketStatus(ticket_status)
    assert ticket.resolved_at == (completed.completed_at if ticket_status == "resolved" else None)
    assert (await world.events(started.ticket_id))[-1][0] == event


async def test_complete_stores_all_values(make, world):
    started = await world.start(await make.assigned())
    values = {"diagnosis": "no signal", "actions_taken": "new coil", "parts_used": (COIL,), "notes": "😀 ok"}
    completed = await world.run(complete_assignment, completion(started.id, hours="0", **values))
    [stored] = await world.history(started.ticket_id)
    assert completed == stored
    assert {name: getattr(stored, name) for name in values} == values
    assert stored.time_spent_hours == 0


async def test_assignment_must_be_accepted_and_active(make, world):
    assigned = await make.assigned()
    with pytest.raises(TransitionNotAllowed):
        await world.run(complete_assignment, completion(assigned.id))
    await world.accept(assigned)
    completed = await world.run(complete_assignment, completion(assigned.id))
    assert completed.status is AssignmentStatus.COMPLETED
    with pytest.raises(TransitionNotAllowed, match="Cannot complete an assignment that is completed"):
        await world.run(complete_assignment, completion(assigned.id))


async def test_outcome_escalated_is_refused(make, world):
    started = await world.start(await make.assigned())
    with pytest.raises(InvalidInput, match="use escalateTicket") as refused:
        await world.run(complete_assignment, completion(started.id, CompletionStatus.ESCALATED))
    assert refused.value.field == "completionStatus"
