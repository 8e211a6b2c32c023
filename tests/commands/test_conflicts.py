"""A concurrent change between the read and the write of a command: the command decides again after it."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run
from app.db.connections import TimeLimits
from app.db.pool import Database, open_database
from app.db.sql import statement_name
from app.domain.errors import StaleSequence, TicketAlreadyAssigned, TicketNotOpen, TransitionNotAllowed
from tests.commands.world import outcome
from tests.databases import until_waiting
from tests.factories import DISPATCHER


class ConflictingConnection(asyncpg.Connection):
    """Runs `concurrent_change` after a command has decided, and before it writes."""

    concurrent_change: ClassVar[Any]

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        if statement_name(query) == "assignments.save_changes" and not self.is_in_transaction():
            await type(self).concurrent_change()
        return await super().fetch(query, *args, **options)


@pytest.fixture
def conflict_with(shared_url, world):
    """A server on which every command conflicts with SQL statements, or with a coroutine function."""

    @asynccontextmanager
    async def conflicting_db(change: Any, *arguments: Any) -> Any:
        async def execute() -> None:
            async with world.db.connection() as conn:
                await conn.execute(change, *arguments)

        ConflictingConnection.concurrent_change = staticmethod(execute if isinstance(change, str) else change)
        async with asyncpg.create_pool(
            shared_url,
            min_size=1,
            max_size=1,
            connection_class=ConflictingConnection,
            server_settings=TimeLimits().session_settings,
        ) as pool:
            yield Database(pool)

    return conflicting_db


@pytest.fixture
async def assigned(make):
    return await make.assigned()


@pytest.fixture
async def escalation(make, assigned):
    return EscalateTicket(ticket_id=assigned.ticket_id, next_engineer_id=await make.engineer(), reason="x")


async def test_command_of_another_server(make, world, conflict_with, assigned, escalation):
    colleague = await make.engineer()
    async with conflict_with(lambda: world.act("reassign", assigned, engineer_id=colleague)) as db:
        result = await run(db, DISPATCHER, escalate_ticket, escalation)
    assert [a.status for a in await world.history(assigned.ticket_id)] == [
        "cancelled",
        "escalated",
        "assigned",
    ]
    assert result.assignment_sequence == 3
    times = [a.assigned_at for a in await world.history(assigned.ticket_id)]
    assert times == sorted(times)


async def test_command_that_keeps_the_ticket_status(world, conflict_with, assigned, escalation):
    before = await world.ticket(assigned.ticket_id)
    async with conflict_with(lambda: world.act("accept", assigned)) as db:
        await run(db, DISPATCHER, escalate_ticket, escalation)
    first, _ = await world.history(assigned.ticket_id)
    assert (first.status, first.accepted_at is None) == ("escalated", False)
    assert (await world.ticket(assigned.ticket_id)).updated_at > before.updated_at


async def test_command_that_keeps_the_ticket_status_keeps_updated_at(world, assigned):
    before = await world.ticket(assigned.ticket_id)
    await world.act("accept", assigned)
    assert await world.ticket(assigned.ticket_id) == before


async def test_duplicate_with_the_same_key(world, conflict_with, assigned, escalation):
    async with conflict_with(lambda: world.run(escalate_ticket, escalation, key="k")) as db:
        result = await run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
    assert [a.id for a in await world.history(assigned.ticket_id)] == [assigned.id, result.id]


async def test_other_command_with_the_same_key(make, world, conflict_with, escalation):
    other = await make.assigned()
    async with conflict_with(lambda: outcome(world.act("accept", other, key="k"))) as db:
        refused = await outcome(run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k"))
    assert type(refused).__name__ == "IdempotencyKeyReused"
    assert len(await world.history(escalation.ticket_id)) == 1


async def test_closed_ticket(world, conflict_with, assigned, escalation):
    async with conflict_with(
        "UPDATE service_tickets SET status = 'closed' WHERE id = $1", assigned.ticket_id
    ) as db:
        with pytest.raises(TicketNotOpen):
            await run(db, DISPATCHER, escalate_ticket, escalation)
    assert await world.history(assigned.ticket_id) == [assigned]


async def test_old_application_ends_the_assignment(world, conflict_with, assigned):
    """It updates the assignment but not the ticket."""
    ending = """UPDATE engineer_assignments SET status = 'cancelled', completed_at = now(),
        cancellation_reason = 'x' WHERE id = $1"""
    async with conflict_with(ending, assigned.id) as db:
        with pytest.raises(TransitionNotAllowed) as refused:
            await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=assigned.id))
    assert refused.value.current_assignment is None
    [stored] = await world.history(assigned.ticket_id)
    assert (stored.status, stored.accepted_at) == ("cancelled", None)
    assert [event[0] for event in await world.events(assigned.ticket_id)] == ["assigned"]


async def test_old_application_reassigns_the_ticket(make, world, conflict_with, assigned, escalation):
    reassigning = f"""
    UPDATE engineer_assignments SET status = 'cancelled', completed_at = now(), cancellation_reason = 'x'
    WHERE id = '{assigned.id}';
    INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence, assignment_tier,
        assignment_tier_name) VALUES ('{assigned.ticket_id}', '{await make.engineer()}', 2, 1, 'OEM')"""
    async with conflict_with(reassigning) as db:
        with pytest.raises(StaleSequence) as refused:
            await run(db, DISPATCHER, escalate_ticket, replace(escalation, expected_sequence=1))
    assert (refused.value.current_sequence, refused.value.current_assignment.assignment_sequence) == (2, 2)
    assert [a.status for a in await world.history(assigned.ticket_id)] == ["cancelled", "assigned"]


async def test_old_application_assigns_the_ticket(make, world, conflict_with):
    ticket, engineer = await make.ticket(), await make.engineer()
    assigning = f"""INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence,
        assignment_tier, assignment_tier_name) VALUES ('{ticket}', '{engineer}', 1, 1, 'OEM')"""
    async with conflict_with(assigning) as db:
        with pytest.raises(TicketAlreadyAssigned):
            await run(db, DISPATCHER, assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=engineer))
    assert len(await world.history(ticket)) == 1
    assert (await world.ticket(ticket)).status == "new"


async def test_command_waits_for_a_change_that_is_rolled_back(world, shared_url, assigned, escalation):
    async with open_database(shared_url, pool_size=1) as db:
        conn = await asyncpg.connect(shared_url)
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("UPDATE service_tickets SET status = 'closed' WHERE id = $1", assigned.ticket_id)
        escalating = asyncio.create_task(run(db, DISPATCHER, escalate_ticket, escalation))
        await until_waiting(conn)
        await transaction.rollback()
        assert (await escalating).assignment_sequence == 2
        await conn.close()


async def test_concurrent_commands_of_many_servers_all_succeed(make, world, shared_url, assigned):
    engineers = [await make.engineer() for _ in range(40)]
    commands = [ReassignTicket(ticket_id=assigned.ticket_id, engineer_id=e, reason="x") for e in engineers]
    async with AsyncExitStack() as servers:
        dbs = [await servers.enter_async_context(open_database(shared_url, pool_size=1)) for _ in range(8)]
        results = await asyncio.gather(
            *(run(dbs[n % 8], DISPATCHER, reassign_ticket, command) for n, command in enumerate(commands))
        )
    assert sorted(a.assignment_sequence for a in results) == list(range(2, 42))
    history = await world.history(assigned.ticket_id)
    assert [a.assignment_sequence for a in history] == list(range(1, 42))
    assert [a.assigned_at for a in history] == sorted(a.assigned_at for a in history)
    assert {a.id: a.engineer_id for a in results}.items() <= {a.id: a.engineer_id for a in history}.items()
