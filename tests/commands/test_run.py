"""What holds for every command: few round trips, retries, and all or nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.db.connections import TimeLimits
from app.db.errors import Unavailable
from app.db.pool import Database, open_database
from app.domain.model import CompletionStatus
from app.queries import assignments, tickets
from tests.factories import DISPATCHER
from tests.pgbouncer import USE_FOR_ALL_TESTS


@asynccontextmanager
async def statements(db):
    """Collects the text of each statement that the one connection of `db` sends."""
    seen = []
    async with db.connection() as conn:
        # The pool's proxy gives the logger to its connection, which keeps it after it is released.
        log = lambda record: seen.append(record.query)  # noqa: E731
        conn.add_query_logger(log)
    try:
        yield seen
    finally:
        async with db.connection() as conn:
            conn.remove_query_logger(log)


@pytest.fixture
async def narrow(shared_url, db):
    async with asyncpg.create_pool(shared_url, min_size=1, max_size=1, reset=_no_reset) as pool:
        yield Database(pool)


async def _no_reset(_):
    pass


async def test_every_mutation_takes_two_round_trips(make, world, narrow):
    colleague, next_up = await make.engineer("Bo Berg"), await make.engineer("Cy Cole")
    ticket = await make.ticket()
    to_reject, to_cancel = await make.assigned(), await make.assigned()
    first = await world.run(assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=await make.engineer()))

    async def round_trips(decide, command):
        async with statements(narrow) as seen:
            got = await run(narrow, DISPATCHER, decide, command)
        return got, len(seen)

    counts = {}
    second, counts["reassign"] = await round_trips(
        reassign_ticket, ReassignTicket(ticket_id=ticket, engineer_id=colleague, reason="x")
    )
    third, counts["escalate"] = await round_trips(
        escalate_ticket, EscalateTicket(ticket_id=ticket, next_engineer_id=next_up, reason="x")
    )
    _, counts["accept"] = await round_trips(accept_assignment, AcceptAssignment(assignment_id=third.id))
    _, counts["start"] = await round_trips(start_assignment, StartAssignment(assignment_id=third.id))
    _, counts["complete"] = await round_trips(
        complete_assignment,
        CompleteAssignment(
            assignment_id=third.id, completion_status=CompletionStatus.SUCCESS, time_spent_hours=Decimal(1)
        ),
    )
    _, counts["rate"] = await round_trips(rate_assignment, RateAssignment(assignment_id=third.id, rating=5))
    _, counts["reject"] = await round_trips(
        reject_assignment, RejectAssignment(assignment_id=to_reject.id, reason="x")
    )
    _, counts["cancel"] = await round_trips(
        cancel_assignment, CancelAssignment(assignment_id=to_cancel.id, reason="x")
    )
    _, counts["assign"] = await round_trips(
        assign_ticket, AssignTicket(ticket_id=to_cancel.ticket_id, engineer_id=colleague)
    )
    assert counts == dict.fromkeys(counts, 2)
    assert [a.id for a in await world.history(ticket)] == [first.id, second.id, third.id]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_rival_in_the_way_is_tried_again(make, world, sqlstate):
    held = await make.assigned()
    tries = []

    def decide(command, locked):
        tries.append(locked.last_sequence)
        return accept_assignment(command, locked)

    async with world.db.connection() as conn:
        await conn.execute(
            f"""
            CREATE SEQUENCE rival;
            CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('rival') < 3 THEN RAISE EXCEPTION 'rival' USING ERRCODE = '{sqlstate}'; END IF;
                RETURN NEW; END $$;
            CREATE TRIGGER in_the_way BEFORE UPDATE ON engineer_assignments
                FOR EACH ROW EXECUTE FUNCTION in_the_way();
            """
        )
    try:
        accepted = await world.run(decide, AcceptAssignment(assignment_id=held.id))
    finally:
        async with world.db.connection() as conn:
            await conn.execute(
                "DROP TRIGGER in_the_way ON engineer_assignments;"
                "DROP FUNCTION in_the_way(); DROP SEQUENCE rival"
            )
    assert await world.history(held.ticket_id) == [accepted]
    assert tries == [1, 1, 1]


async def test_a_fault_after_the_decision_changes_nothing(make, world):
    held = await make.assigned()
    events = await world.events(held.ticket_id)
    async with world.db.connection() as conn:
        await conn.execute(
            "ALTER TABLE assignment_events ADD CONSTRAINT full_disk CHECK (type <> 'accepted') NOT VALID"
        )
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    finally:
        async with world.db.connection() as conn:
            await conn.execute("ALTER TABLE assignment_events DROP CONSTRAINT full_disk")
    assert await world.history(held.ticket_id) == [held]
    assert await world.events(held.ticket_id) == events


@pytest.mark.skipif(USE_FOR_ALL_TESTS, reason="its time limits are not those of the pooler's role")
async def test_a_ticket_that_stays_locked_leaves_connections_for_all_others(make, world, shared_url):
    held, other = await make.assigned(), await make.assigned()
    command = AcceptAssignment(assignment_id=held.id)
    async with (
        open_database(shared_url, pool_size=3, limits=TimeLimits(lock_s=2)) as db,
        world.db.transaction() as tx,
    ):
        await tickets.lock(tx, held.ticket_id)
        crowd = asyncio.gather(
            *(run(db, DISPATCHER, accept_assignment, command) for _ in range(200)), return_exceptions=True
        )
        while not await tx.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
        await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=other.id))
        async with db.connection() as conn:
            assert await assignments.by_ids(conn, [held.id]) == [held]
        assert not crowd.done()
        assert {type(answer) for answer in await crowd} == {Unavailable}
    assert await world.history(held.ticket_id) == [held]
