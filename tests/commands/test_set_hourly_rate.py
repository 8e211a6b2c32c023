"""Set an hourly rate: an admin says what an hour costs, and nothing that was said is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.set_hourly_rate import SetHourlyRate, run_on_rates, set_hourly_rate
from app.domain.errors import EngineerNotFound, Forbidden, IdempotencyKeyReused, InvalidInput
from app.domain.model import AuditContext
from app.queries import rates
from tests.commands.world import NOBODY, outcome
from tests.factories import ADMIN, AUDITOR, DISPATCHER, as_engineer

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def ana(make):
    return await make.engineer("Ana Lima")


@pytest.fixture
def set_rate(db, ana):
    async def do(rate, valid_from=MARCH, *, actor=ADMIN, engineer=ana, **more):
        command = SetHourlyRate(engineer_id=engineer, hourly_rate=Decimal(rate), valid_from=valid_from)
        return await run_on_rates(db, actor, set_hourly_rate, command, **more)

    return do


@pytest.fixture
def all_rates(db, ana):
    async def read():
        async with db.connection() as conn:
            return await rates.of_engineer(conn, ana, after=None, first=100)

    return read


async def test_a_rate_says_who_set_it_and_when(set_rate, all_rates, db, ana):
    berlin = MARCH.astimezone(timezone(timedelta(hours=1)))
    rate = await set_rate("95.5", berlin, audit_context=AuditContext("request", "token"))
    assert [rate] == await all_rates()
    assert (rate.engineer_id, rate.hourly_rate, rate.valid_from) == (ana, Decimal("95.50"), MARCH)
    assert (rate.set_by, rate.set_at.tzinfo) == ("admin@test", UTC)
    async with db.connection() as conn:
        [row] = await conn.fetch("SELECT request_id, token_id FROM hourly_rates")
    assert tuple(row) == ("request", "token")


async def test_a_correction_is_one_more_row_and_holds(set_rate, all_rates):
    wrong = await set_rate("950")
    right = await set_rate("95")
    later = await set_rate("99", MARCH + timedelta(days=1))
    assert await all_rates() == [later, right, wrong]


async def test_what_holds_already_is_not_set_again(set_rate, all_rates):
    first = await set_rate("95")
    assert await set_rate("95.00") == first
    await set_rate("96")
    back = await set_rate("95")
    assert back.id != first.id
    assert len(await all_rates()) == 3


async def test_a_key_sets_once_and_answers_the_same(set_rate, all_rates):
    first = await set_rate("95", idempotency_key="k")
    await set_rate("96")
    assert await set_rate("95", idempotency_key="k") == first
    assert len(await all_rates()) == 2
    with pytest.raises(IdempotencyKeyReused):
        await set_rate("97", idempotency_key="k")


async def test_a_key_is_of_a_ticket_or_of_a_rate(set_rate, make, world, all_rates):
    held = await make.assigned()
    accept = AcceptAssignment(assignment_id=held.id)
    await set_rate("95", idempotency_key="of a rate")
    with pytest.raises(IdempotencyKeyReused):
        await world.run(accept_assignment, accept, ADMIN, key="of a rate")
    await world.run(accept_assignment, accept, ADMIN, key="of a ticket")
    with pytest.raises(IdempotencyKeyReused):
        await set_rate("96", idempotency_key="of a ticket")
    assert len(await all_rates()) == 1


async def test_only_admins_set_rates(set_rate, all_rates, ana):
    for actor in (DISPATCHER, AUDITOR, as_engineer(ana)):
        refused = await outcome(set_rate("95", actor=actor))
        assert isinstance(refused, Forbidden)
        assert refused.message == "Your role does not allow you to set hourly rates; ask an admin."
    assert await all_rates() == []


async def test_a_rate_is_of_an_engineer_a_moment_and_an_amount(set_rate):
    with pytest.raises(EngineerNotFound):
        await set_rate("95", engineer=NOBODY)
    with pytest.raises(InvalidInput, match="hourlyRate must be 0 to"):
        await set_rate("-1")
    with pytest.raises(InvalidInput, match="hourlyRate must be 0 to"):
        await set_rate("95.001")
    with pytest.raises(InvalidInput, match="validFrom must say its time zone"):
        await set_rate("95", datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidInput, match="validFrom must be a moment"):
        await set_rate("95", datetime.min.replace(tzinfo=timezone(timedelta(hours=9))))


async def test_the_database_takes_no_rate_below_nothing(set_rate, db, ana):
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO hourly_rates (engineer_id, valid_from, hourly_rate, set_by, set_at)"
                " VALUES ($1, now(), -1, 'x', now())",
                ana,
            )
