"""Set the hourly rate of an engineer; earlier rates are kept."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import asyncpg
import pytest

from app.commands.set_hourly_rate import SetHourlyRate, set_hourly_rate
from app.domain.errors import IdempotencyKeyReused
from app.domain.model import AuditContext
from app.queries import rates
from tests.factories import ADMIN

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def ana(make):
    return await make.engineer("Ana Lima")


@pytest.fixture
def set_rate(world, ana):
    async def run(rate, valid_from=MARCH, **options):
        command = SetHourlyRate(engineer_id=ana, hourly_rate=Decimal(rate), valid_from=valid_from)
        return await world.run(set_hourly_rate, command, ADMIN, **options)

    return run


@pytest.fixture
def all_rates(db, ana):
    async def read():
        async with db.connection() as conn:
            return await rates.of_engineer(conn, ana, after=None, first=100)

    return read


async def test_rate_records_the_actor_and_the_request(set_rate, all_rates, db, ana):
    berlin = MARCH.astimezone(timezone(timedelta(hours=1)))
    rate = await set_rate("95.5", berlin, audit_context=AuditContext("request", "token"))
    assert [rate] == await all_rates()
    assert (rate.engineer_id, rate.hourly_rate, rate.valid_from) == (ana, Decimal("95.50"), MARCH)
    assert (rate.set_by, rate.set_at.tzinfo) == ("admin@test", UTC)
    async with db.connection() as conn:
        [row] = await conn.fetch("SELECT request_id, token_id FROM hourly_rates")
    assert tuple(row) == ("request", "token")


async def test_correction_adds_a_rate(set_rate, all_rates):
    wrong = await set_rate("950")
    right = await set_rate("95")
    later = await set_rate("99", MARCH + timedelta(days=1))
    assert await all_rates() == [later, right, wrong]


async def test_unchanged_rate_is_not_added(set_rate, all_rates):
    first = await set_rate("95")
    assert await set_rate("95.00") == first
    await set_rate("96")
    back = await set_rate("95")
    assert back.id != first.id
    assert len(await all_rates()) == 3


async def test_repeat_with_the_same_key_returns_the_first_rate(set_rate, all_rates):
    first = await set_rate("95", key="k")
    await set_rate("96")
    assert await set_rate("95", key="k") == first
    assert len(await all_rates()) == 2
    with pytest.raises(IdempotencyKeyReused):
        await set_rate("97", key="k")


async def test_key_is_shared_by_tickets_and_rates(set_rate, make, world, all_rates):
    assigned = await make.assigned()
    await set_rate("95", key="of a rate")
    with pytest.raises(IdempotencyKeyReused):
        await world.act("accept", assigned, ADMIN, key="of a rate")
    await world.act("accept", assigned, ADMIN, key="of a ticket")
    with pytest.raises(IdempotencyKeyReused):
        await set_rate("96", key="of a ticket")
    assert len(await all_rates()) == 1


async def test_database_refuses_a_negative_rate(db, ana):
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO hourly_rates (engineer_id, valid_from, hourly_rate, set_by, set_at)"
                " VALUES ($1, now(), -1, 'x', now())",
                ana,
            )
