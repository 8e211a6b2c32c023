"""suggestEngineers: the candidates, their order and their criteria."""

from datetime import UTC, datetime

import pytest

SUGGEST = """query($ticket: ID!, $tier: Int) { suggestEngineers(ticketId: $ticket, tier: $tier) {
    engineer { id name } matchingSkills sameRegion activeAssignments } }"""


@pytest.fixture
def suggest(ask):
    async def suggest(ticket, tier=None):
        return (await ask(SUGGEST, ticket=ticket, tier=tier))["suggestEngineers"]

    return suggest


@pytest.fixture
def names(suggest):
    async def names(ticket, tier=None):
        return [suggestion["engineer"]["name"] for suggestion in await suggest(ticket, tier)]

    return names


@pytest.fixture
def make_at_tier(db, make):
    """Make an engineer of a tier."""

    async def make_at_tier(tier, name, **columns):
        engineer = await make.engineer(name, **columns)
        async with db.connection() as conn:
            await conn.execute("INSERT INTO engineer_tiers VALUES ($1, $2)", tier, engineer)
        return engineer

    return make_at_tier


async def test_order_is_skills_then_region_then_load(make, make_at_tier, suggest):
    scanner = await make.equipment(category="MRI", model="Auriga 1.5T", manufacturer="Halvorn")
    earlier = await make.ticket(customer_name="St. Mary", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    await make.assigned(ticket=earlier, engineer=await make.engineer("Earlier", home_region="North"))
    for name, columns in (
        ("Two skills, busy", {"skills": ["mri", "auriga 1.5t"], "home_region": "South"}),
        ("Skill, region, busy", {"skills": ["MRI", "CT"], "home_region": "North"}),
        ("Region, busy", {"home_region": "North"}),
    ):
        await make.assigned(engineer=await make_at_tier(1, name, **columns))
    await make_at_tier(1, "Skill", skills=["MRI"])
    await make_at_tier(1, "Region", home_region="North")
    await make_at_tier(1, "Idle")
    await make_at_tier(1, "Inactive", skills=["MRI"], is_active=False)
    await make_at_tier(2, "Other tier", skills=["MRI"])

    suggestions = await suggest(await make.ticket(equipment_id=scanner, customer_name="St. Mary"))
    assert [(*tuple(s.values())[1:], s["engineer"]["name"]) for s in suggestions] == [
        (["mri", "auriga 1.5t"], False, 1, "Two skills, busy"),
        (["MRI"], True, 1, "Skill, region, busy"),
        (["MRI"], False, 0, "Skill"),
        ([], True, 0, "Region"),
        ([], True, 1, "Region, busy"),
        ([], False, 0, "Idle"),
    ]


async def test_default_tier_follows_the_assignments(world, make, make_at_tier, names):
    """The tier above the current assignment, or else the tier of the last one, or 1."""
    engineers = {tier: await make_at_tier(tier, f"Tier {tier}") for tier in range(1, 6)}
    ticket = await make.ticket()
    assert await names(ticket) == ["Tier 1"]
    assert await names(ticket, tier=4) == ["Tier 4"]
    current = await make.assigned(ticket=ticket)
    for tier in range(2, 6):
        assert await names(ticket) == [f"Tier {tier}"]
        current = await world.act("escalate", current, next_engineer_id=engineers[tier])
    assert await names(ticket) == []  # the only candidate is currently assigned
    await world.act("reject", current)
    assert await names(ticket) == ["Tier 5"]


async def test_a_tier_without_engineers_suggests_all(make, make_at_tier, names):
    await make_at_tier(1, "Tier 1")
    await make.engineer("No tier")
    await make.engineer("Inactive", is_active=False)
    assert set(await names(await make.ticket(), tier=2)) == {"Tier 1", "No tier"}


async def test_same_region_is_false_if_the_region_is_unknown(make, suggest):
    for region in (None, "", "North"):
        await make.engineer(home_region=region)
    for customer in (None, "", "St. Mary"):
        suggestions = await suggest(await make.ticket(customer_name=customer))
        assert [suggestion["sameRegion"] for suggestion in suggestions] == [False] * 3


async def test_at_most_ten_suggestions_and_null_without_a_ticket(make, suggest):
    for number in range(11):
        await make.engineer(f"Engineer {number}")
    assert len(await suggest(await make.ticket())) == 10
    assert await suggest("T-0") is None


async def test_an_invalid_tier_is_an_error(ask, make):
    [error] = (await ask.answer(SUGGEST, ticket=await make.ticket(), tier=0))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "tier"}
