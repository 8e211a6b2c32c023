"""An assignment that ends before it is completed keeps the hours and findings, which are billed."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.errors import InvalidInput
from app.domain.history import time_by_engineer
from app.domain.model import AssignmentStatus
from app.queries import billing
from app.queries.billing import BillingFilter, Period
from tests.commands.test_complete import COIL
from tests.factories import as_engineer

WORK = {
    "time_spent_hours": Decimal("1.25"),
    "diagnosis": "no signal",
    "actions_taken": "checked the cable",
    "parts_used": (COIL,),
}
ENDS = ("escalate", "reassign", "cancel", "reject")


@pytest.fixture
def end(make, world):
    """Ends a new assignment by an action, with these values; returns it."""

    async def end(action, **values):
        assigned = await make.assigned()
        if action in ("escalate", "reassign"):
            name = "next_engineer_id" if action == "escalate" else "engineer_id"
            values[name] = await make.engineer()
        await world.act(action, assigned, **values)
        return (await world.history(assigned.ticket_id))[0]

    return end


@pytest.mark.parametrize("action", ENDS)
async def test_the_assignment_keeps_what_is_given(end, action):
    ended = await end(action, **WORK)
    assert {name: getattr(ended, name) for name in WORK} == WORK
    assert ended.status not in (AssignmentStatus.ASSIGNED, AssignmentStatus.COMPLETED)


@pytest.mark.parametrize("action", ENDS)
async def test_what_is_left_out_is_unknown(end, action):
    ended = await end(action)
    assert [getattr(ended, name) for name in WORK] == [None, None, None, ()]


@pytest.mark.parametrize("action", ENDS)
async def test_bad_values_are_refused_and_change_nothing(make, world, action):
    assigned = await make.assigned()
    with pytest.raises(InvalidInput, match="timeSpentHours"):
        await world.act(action, assigned, time_spent_hours=Decimal(-1))
    assert await world.history(assigned.ticket_id) == [assigned]


async def test_each_engineer_is_billed(db, make, world):
    first = await make.assigned()
    await world.act("start", first, as_engineer(first.engineer_id))
    second = await world.act("escalate", first, next_engineer_id=await make.engineer(), **WORK)
    await world.complete(second, "2")
    history = await world.history(first.ticket_id)
    assert [(each.engineer_id, each.time_spent_hours) for each in time_by_engineer(history)] == [
        (first.engineer_id, Decimal("1.25")),
        (second.engineer_id, Decimal(2)),
    ]
    period = Period(first.assigned_at - timedelta(1), first.assigned_at + timedelta(1))
    async with db.connection() as conn:
        totals = await billing.totals(conn, BillingFilter(period, ticket_id=first.ticket_id))
    assert (totals.lines, totals.hours, totals.parts_cost) == (2, Decimal("3.25"), Decimal("2401.00"))
