"""Set the hourly rate of an engineer. The command targets no ticket, so it has its own runner."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from app.commands.command import COMMON_REFUSALS, Command, command_dataclass, command_field
from app.commands.run import hash_command, ignore_replay, require_permission
from app.domain import values
from app.domain.errors import EngineerNotFound, IdempotencyKeyReused
from app.domain.lifecycle import DEFAULT_RULES, Action, TicketRules
from app.domain.model import NO_AUDIT_CONTEXT, EngineerId
from app.queries import rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.commands.run import OnReplay
    from app.db.connections import Tx
    from app.db.pool import Database
    from app.domain.model import Actor, AuditContext, HourlyRate
    from app.queries.rates import RateSnapshot

REFUSALS = (EngineerNotFound, *COMMON_REFUSALS)


@command_dataclass
class SetHourlyRate(Command):
    """Set the hourly rate of an engineer from a point in time. Setting it again for that time corrects it."""

    action = Action.SET_HOURLY_RATE
    engineer_id: EngineerId = command_field("Engineer who has this rate.", values.engineer_id)
    hourly_rate: Decimal = command_field(
        "Cost of an hour, 0 to 9999999.99, at most two decimal places.", values.money
    )
    valid_from: datetime = command_field(
        "Start of validity; may be in the past. The rate applies to work that ends then or later, until the"
        " next rate.",
        values.parse_datetime,
    )


def set_hourly_rate(command: SetHourlyRate, snapshot: RateSnapshot) -> HourlyRate | None:
    """Return the existing rate if it is the same; None if a rate must be added."""
    if not snapshot.engineer_exists:
        raise EngineerNotFound(command.engineer_id)
    if snapshot.rate is not None and snapshot.rate.hourly_rate == command.hourly_rate:
        return snapshot.rate
    return None


async def run_on_rates(
    db: Database,
    actor: Actor,
    decide: Callable[[SetHourlyRate, RateSnapshot], HourlyRate | None],
    command: SetHourlyRate,
    *,
    idempotency_key: str | None = None,
    audit_context: AuditContext = NO_AUDIT_CONTEXT,
    on_replay: OnReplay = ignore_replay,
    rules: TicketRules = DEFAULT_RULES,  # noqa: ARG001 - every runner gets them
) -> HourlyRate:
    """Run like `run`, without a lock: rates are only added, and the later of two concurrent ones applies.

    Raises the refusals of the command, and Unavailable.
    """
    require_permission(actor, command)
    request_hash = hash_command(command)

    async def execute(tx: Tx) -> HourlyRate:
        snapshot = await rates.rate_snapshot(
            tx, command.engineer_id, command.valid_from, actor=actor.subject, idempotency_key=idempotency_key
        )
        if idempotency_key is not None and snapshot.request_hash is not None:
            if snapshot.request_hash != request_hash or snapshot.hourly_rate_id is None:
                raise IdempotencyKeyReused(idempotency_key)
            on_replay()
            return await rates.by_id(tx, snapshot.hourly_rate_id)
        rate = decide(command, snapshot) or await rates.add(
            tx,
            command.engineer_id,
            command.hourly_rate,
            command.valid_from,
            set_by=actor.subject,
            set_at=snapshot.now,
            audit_context=audit_context,
        )
        if idempotency_key is not None:
            await rates.insert_key(
                tx,
                rate,
                actor=actor.subject,
                idempotency_key=idempotency_key,
                request_hash=request_hash,
                now=snapshot.now,
            )
        return rate

    # A concurrent duplicate may insert the key first; the retry finds it.
    return await db.in_transaction(execute, retry_on=("idempotency_keys_",))
