"""Who is suggested for a ticket, in which order, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.run import run
from tests.factories import DISPATCHER

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SUGGEST = """query($t: ID!, $tier: Int) { suggestEngineers(ticketId: $t, tier: $tier) {
    engineer { id name } matchingSkills sameRegion activeAssignments } }"""


@pytest.fixture
def names(ask):
    async def names(ticket, tier=None):
        found = (await ask(SUGGEST, t=ticket, tier=tier))["suggestEngineers"]
        return [one["engineer"]["name"] for one in found]

    return names


@pytest.fixture
def at_tier(db, make):
    """Makes an engineer who is asked at the tier."""

    async def at_tier(tier, name, **columns):
        engineer = await make.engineer(name, **columns)
        async with db.connection() as conn:
            await conn.execute("INSERT INTO engineer_tiers VALUES ($1, $2)", tier, engineer)
        return engineer

    return at_tier


async def test_skill_goes_before_region_and_region_before_leisure(ask, db, make, at_tier):
    scanner = await make.equipment(category="MRI", model="Auriga 1.5T", manufacturer="Halvorn")
    earlier = await make.ticket(customer_name="St. Mary", created_at=LONG_AGO)
    await make.assigned(ticket=earlier, engineer=await make.engineer("Sent before", home_region="North"))
    busy = [
        await at_tier(1, "Knows both, busy", skills=["mri", "auriga 1.5t"], home_region="South"),
        await at_tier(1, "Knows it, near, busy", skills=["MRI", "CT"], home_region="North"),
        await at_tier(1, "Near, busy", home_region="North"),
    ]
    for engineer in busy:
        await make.assigned(engineer=engineer)
    await at_tier(1, "Knows it", skills=["MRI"])
    await at_tier(1, "Near", home_region="North")
    await at_tier(1, "Idle")
    await at_tier(1, "Away", skills=["MRI"], is_active=False)
    await at_tier(2, "Of another tier", skills=["MRI"])

    ticket = await make.ticket(equipment_id=scanner, customer_name="St. Mary")
    found = (await ask(SUGGEST, t=ticket))["suggestEngineers"]
    assert [(*tuple(one.values())[1:], one["engineer"]["name"]) for one in found] == [
        (["mri", "auriga 1.5t"], False, 1, "Knows both, busy"),
        (["MRI"], True, 1, "Knows it, near, busy"),
        (["MRI"], False, 0, "Knows it"),
        ([], True, 0, "Near"),
        ([], True, 1, "Near, busy"),
        ([], False, 0, "Idle"),
    ]


async def test_the_tier_is_the_next_one_of_who_holds_the_ticket_else_the_last(db, make, at_tier, names):
    people = {tier: await at_tier(tier, f"Of tier {tier}") for tier in range(1, 6)}
    ticket = await make.ticket()
    assert await names(ticket) == ["Of tier 1"]
    assert await names(ticket, tier=4) == ["Of tier 4"]
    held = await make.assigned(ticket=ticket)
    for tier in range(2, 6):
        assert await names(ticket) == [f"Of tier {tier}"]
        command = EscalateTicket(ticket_id=ticket, reason="x", next_engineer_id=people[tier])
        held = await run(db, DISPATCHER, escalate_ticket, command)
    assert await names(ticket) == []  # there is only who holds it
    await run(db, DISPATCHER, reject_assignment, RejectAssignment(assignment_id=held.id, reason="x"))
    assert await names(ticket) == ["Of tier 5"]


async def test_where_nobody_is_named_for_a_tier_everybody_may_be_asked(make, at_tier, names):
    await at_tier(1, "Of tier 1")
    await make.engineer("Of no tier")
    await make.engineer("Away", is_active=False)
    assert set(await names(await make.ticket(), tier=2)) == {"Of tier 1", "Of no tier"}


async def test_nobody_is_near_where_nothing_says_where_the_customer_is(ask, make):
    for region in (None, "", "North"):
        await make.engineer(home_region=region)
    for customer in (None, "", "St. Mary"):
        found = await ask(SUGGEST, t=await make.ticket(customer_name=customer))
        assert [one["sameRegion"] for one in found["suggestEngineers"]] == [False] * 3


async def test_there_are_ten_suggestions_at_most_and_none_for_no_ticket(ask, make, names):
    for number in range(11):
        await make.engineer(f"Engineer {number}")
    assert len(await names(await make.ticket())) == 10
    assert await ask(SUGGEST, t="T-0") == {"suggestEngineers": None}


async def test_a_tier_that_there_is_not_is_refused(ask, make):
    [error] = (await ask.answer(SUGGEST, t=await make.ticket(), tier=0))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "tier"}
