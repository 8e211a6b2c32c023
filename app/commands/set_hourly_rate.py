"""Set an hourly rate: say what an engineer's hour costs. It is of no ticket, so it has its own runner."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from app.commands.command import ALWAYS, Command, command, given
from app.commands.run import hash_of, refuse_by_role
from app.domain import values
from app.domain.errors import EngineerNotFound, IdempotencyKeyReused
from app.domain.lifecycle import Action
from app.domain.model import UNKNOWN_ORIGIN, EngineerId
from app.queries import rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.db.connections import Tx
    from app.db.pool import Database
    from app.domain.model import Actor, HourlyRate, Origin
    from app.queries.rates import RateSituation

REFUSALS = (EngineerNotFound, *ALWAYS)


@command
class SetHourlyRate(Command):
    """Say what an engineer's hour costs from a moment on. Said again for the same moment, it is corrected."""

    action = Action.SET_HOURLY_RATE
    engineer_id: EngineerId = given("Whose hour.", values.engineer_id)
    hourly_rate: Decimal = given("What it costs, 0 to 9999999.99, two decimals at most.", values.money)
    valid_from: datetime = given(
        "From when on, until the next rate: work that ended then or later. May be in the past.", values.moment
    )


def set_hourly_rate(wish: SetHourlyRate, seen: RateSituation) -> HourlyRate | None:
    """The rate that says so already; None where it is to be added."""
    if not seen.engineer_exists:
        raise EngineerNotFound(wish.engineer_id)
    if seen.rate is not None and seen.rate.hourly_rate == wish.hourly_rate:
        return seen.rate
    return None


async def run_on_rates(
    db: Database,
    actor: Actor,
    decide: Callable[[SetHourlyRate, RateSituation], HourlyRate | None],
    wish: SetHourlyRate,
    *,
    idempotency_key: str | None = None,
    origin: Origin = UNKNOWN_ORIGIN,
) -> HourlyRate:
    """As `run`, without a lock: rates are only added, and of two at once the later one holds.

    Raises the refusals of the command, and Unavailable.
    """
    refuse_by_role(actor, wish)
    request_hash = hash_of(wish)

    async def work(tx: Tx) -> HourlyRate:
        seen = await rates.situation(
            tx, wish.engineer_id, wish.valid_from, actor=actor.subject, idempotency_key=idempotency_key
        )
        if idempotency_key is not None and seen.request_hash is not None:
            if seen.request_hash != request_hash or seen.hourly_rate_id is None:
                raise IdempotencyKeyReused(idempotency_key)
            return await rates.by_id(tx, seen.hourly_rate_id)
        rate = decide(wish, seen) or await rates.add(
            tx,
            wish.engineer_id,
            wish.hourly_rate,
            wish.valid_from,
            set_by=actor.subject,
            set_at=seen.now,
            origin=origin,
        )
        if idempotency_key is not None:
            await rates.keep_key(
                tx,
                rate,
                actor=actor.subject,
                idempotency_key=idempotency_key,
                request_hash=request_hash,
                now=seen.now,
            )
        return rate

    # A twin of this request may take the key first; the second try finds it taken.
    return await db.in_transaction(work, retry_on=("idempotency_keys_",))
