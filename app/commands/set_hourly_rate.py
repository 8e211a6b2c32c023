"""Set an hourly rate: say what an engineer's hour costs. It is of no ticket, so it has its own runner."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from app.commands.command import COMMON_REFUSALS, Command, command_dataclass, command_field
from app.commands.run import hash_command, require_permission
from app.domain import values
from app.domain.errors import EngineerNotFound, IdempotencyKeyReused
from app.domain.lifecycle import Action
from app.domain.model import NO_AUDIT_CONTEXT, EngineerId
from app.queries import rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.db.connections import Tx
    from app.db.pool import Database
    from app.domain.model import Actor, AuditContext, HourlyRate
    from app.queries.rates import RateSnapshot

REFUSALS = (EngineerNotFound, *COMMON_REFUSALS)


@command_dataclass
class SetHourlyRate(Command):
    """Say what an engineer's hour costs from a moment on. Said again for the same moment, it is corrected."""

    action = Action.SET_HOURLY_RATE
    engineer_id: EngineerId = command_field("Whose hour.", values.engineer_id)
    hourly_rate: Decimal = command_field(
        "What it costs, 0 to 9999999.99, two decimals at most.", values.money
    )
    valid_from: datetime = command_field(
        "From when on, until the next rate: work that ended then or later. May be in the past.",
        values.parse_datetime,
    )


def set_hourly_rate(command: SetHourlyRate, seen: RateSnapshot) -> HourlyRate | None:
    """The rate that says so already; None where it is to be added."""
    if not seen.engineer_exists:
        raise EngineerNotFound(command.engineer_id)
    if seen.rate is not None and seen.rate.hourly_rate == command.hourly_rate:
        return seen.rate
    return None


async def run_on_rates(
    db: Database,
    actor: Actor,
    decide: Callable[[SetHourlyRate, RateSnapshot], HourlyRate | None],
    command: SetHourlyRate,
    *,
    idempotency_key: str | None = None,
    audit_context: AuditContext = NO_AUDIT_CONTEXT,
) -> HourlyRate:
    """As `run`, without a lock: rates are only added, and of two at once the later one holds.

    Raises the refusals of the command, and Unavailable.
    """
    require_permission(actor, command)
    request_hash = hash_command(command)

    async def work(tx: Tx) -> HourlyRate:
        seen = await rates.rate_snapshot(
            tx, command.engineer_id, command.valid_from, actor=actor.subject, idempotency_key=idempotency_key
        )
        if idempotency_key is not None and seen.request_hash is not None:
            if seen.request_hash != request_hash or seen.hourly_rate_id is None:
                raise IdempotencyKeyReused(idempotency_key)
            return await rates.by_id(tx, seen.hourly_rate_id)
        rate = decide(command, seen) or await rates.add(
            tx,
            command.engineer_id,
            command.hourly_rate,
            command.valid_from,
            set_by=actor.subject,
            set_at=seen.now,
            audit_context=audit_context,
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
