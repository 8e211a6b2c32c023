"""The command runner: round trips, retries and atomicity."""

import asyncio
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.reassign import ReassignTicket
from app.commands.run import run
from app.commands.ticket_state import Change
from app.db.connections import TimeLimits
from app.db.errors import Unavailable
from app.db.pool import open_database
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import Assignment, AssignmentStatus, AssignmentType, PartUsed
from app.queries import assignments, tickets
from tests.commands.samples import SAMPLES
from tests.commands.world import World
from tests.databases import capture_statements, until_waiting
from tests.factories import DISPATCHER
from tests.pgbouncer import USE_FOR_ALL_TESTS


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.action is not Action.SET_HOURLY_RATE], ids=lambda sample: sample.action
)
async def test_command_takes_two_round_trips(monkeypatch, shared_url, make, world, sample):
    command, _ = await sample.prepare(make, world)
    seen = []
    capture_statements(monkeypatch, seen.append)
    async with open_database(shared_url, pool_size=1) as db:
        async with db.connection() as conn:
            await conn.fetchval("SELECT 1 /* opens the connection */")
        await asyncio.sleep(0)  # the driver calls its loggers a moment after a statement
        seen.clear()
        result = await World(db).run(sample.decide, command)
        await asyncio.sleep(0)
        assert len(seen) == 2, seen
    assert await world.is_stored(result)


def example(hint: Any) -> Any:
    """A value of the type of a field, not None."""
    if get_origin(hint) in (Union, UnionType):
        hint = get_args(hint)[0]
    if get_origin(hint) is tuple:
        return (PartUsed("P-1", "Fuse", 2, Decimal("1.50")),)
    examples = {datetime: datetime(2026, 3, 1, tzinfo=UTC), Decimal: Decimal("1.25"), int: 3, str: "text"}
    return examples[hint] if hint in examples else next(iter(hint))


async def test_save_changes_writes_every_column(make, world):
    """A column that is missing in the UPDATE or INSERT of save_changes fails here."""
    ticket_id = await make.ticket(equipment_id=await make.equipment())
    assigned = await make.assigned(ticket=ticket_id)
    hints = get_type_hints(Assignment)
    later = {f.name: example(hints[f.name]) for f in fields(Assignment) if f.default is not MISSING}
    ended = replace(
        assigned,
        **later,
        status=AssignmentStatus.COMPLETED,
        updated_at=assigned.updated_at + timedelta(days=1),
    )

    def decide(command, state):
        following = state.next_assignment(
            command.engineer_id, tier=2, tier_name="Acme", reason="x", assignment_type=AssignmentType.AUTO
        )
        assert None not in {getattr(following, f.name) for f in fields(Assignment) if f.name not in later}
        return Change(((EventType.REASSIGNED, ended), (EventType.ASSIGNED, following)), ticket_status=None)

    command = ReassignTicket(ticket_id=ticket_id, engineer_id=await make.engineer(), reason="x")
    result = await world.run(decide, command)
    assert await world.history(ticket_id) == [ended, result]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_serialization_failure_is_retried(make, world, sqlstate):
    assigned = await make.assigned()
    attempts = []

    def decide(command, state):
        attempts.append(state.last_sequence)
        return accept_assignment(command, state)

    async with world.db.connection() as conn:
        await conn.execute(
            f"""
            CREATE SEQUENCE attempts;
            CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('attempts') < 3 THEN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END IF;
                RETURN NEW; END $$;
            CREATE TRIGGER conflict BEFORE UPDATE ON engineer_assignments
                FOR EACH ROW EXECUTE FUNCTION conflict();
            """
        )
    try:
        accepted = await world.run(decide, AcceptAssignment(assignment_id=assigned.id))
    finally:
        async with world.db.connection() as conn:
            await conn.execute(
                "DROP TRIGGER conflict ON engineer_assignments;"
                "DROP FUNCTION conflict(); DROP SEQUENCE attempts"
            )
    assert await world.history(assigned.ticket_id) == [accepted]
    assert attempts == [1, 1, 1]


async def test_error_while_saving_changes_nothing(make, world):
    assigned = await make.assigned()
    events = await world.events(assigned.ticket_id)
    async with world.db.connection() as conn:
        await conn.execute(
            "ALTER TABLE ticket_events ADD CONSTRAINT failing CHECK (type <> 'accepted') NOT VALID"
        )
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await world.act("accept", assigned)
    finally:
        async with world.db.connection() as conn:
            await conn.execute("ALTER TABLE ticket_events DROP CONSTRAINT failing")
    assert await world.history(assigned.ticket_id) == [assigned]
    assert await world.events(assigned.ticket_id) == events


@pytest.mark.skipif(USE_FOR_ALL_TESTS, reason="through the pooler, sessions have other time limits")
async def test_locked_ticket_does_not_block_other_tickets(make, world, shared_url):
    assigned, other = await make.assigned(), await make.assigned()
    command = AcceptAssignment(assignment_id=assigned.id)
    async with (
        open_database(shared_url, pool_size=3, limits=TimeLimits(lock_s=2)) as db,
        world.db.transaction() as tx,
    ):
        await tickets.lock(tx, assigned.ticket_id)
        waiting = asyncio.gather(
            *(run(db, DISPATCHER, accept_assignment, command) for _ in range(200)), return_exceptions=True
        )
        await until_waiting(tx)
        await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=other.id))
        async with db.connection() as conn:
            assert await assignments.by_ids(conn, [assigned.id]) == [assigned]
        assert not waiting.done()
        assert {type(result) for result in await waiting} == {Unavailable}
    assert await world.history(assigned.ticket_id) == [assigned]
