"""A change that is overtaken between its reading and its writing is as if it had come after its rival."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
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
from tests.factories import DISPATCHER


class Overtaken(asyncpg.Connection):
    """Lets a rival be faster: it acts after a change was decided, and before it is written."""

    rival: ClassVar[Any]

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        if statement_name(query) == "assignments.save_change" and not self.is_in_transaction():
            await type(self).rival()
        return await super().fetchrow(query, *args, **options)


@pytest.fixture
def overtaken(shared_url, world):
    """A server that the given statements, or the given coroutine, always overtake."""

    @asynccontextmanager
    async def by(rival: Any, *arguments: Any) -> Any:
        async def sql() -> None:
            async with world.db.connection() as conn:
                await conn.execute(rival, *arguments)

        Overtaken.rival = staticmethod(sql if isinstance(rival, str) else rival)
        async with asyncpg.create_pool(
            shared_url,
            min_size=1,
            max_size=1,
            connection_class=Overtaken,
            server_settings=TimeLimits().session_settings,
        ) as pool:
            yield Database(pool)

    return by


@pytest.fixture
async def held(make):
    return await make.assigned()


@pytest.fixture
async def escalation(make, held):
    return EscalateTicket(ticket_id=held.ticket_id, next_engineer_id=await make.engineer(), reason="x")


async def test_by_a_command_of_another_server(make, world, overtaken, held, escalation):
    command = ReassignTicket(ticket_id=held.ticket_id, engineer_id=await make.engineer(), reason="x")
    async with overtaken(lambda: world.run(reassign_ticket, command)) as db:
        opened = await run(db, DISPATCHER, escalate_ticket, escalation)
    assert [a.status for a in await world.history(held.ticket_id)] == ["cancelled", "escalated", "assigned"]
    assert opened.assignment_sequence == 3
    times = [a.assigned_at for a in await world.history(held.ticket_id)]
    assert times == sorted(times)


async def test_by_a_command_that_leaves_the_ticket_as_it_is(world, overtaken, held, escalation):
    async def accept():
        await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))

    before = await world.ticket(held.ticket_id)
    async with overtaken(accept) as db:
        await run(db, DISPATCHER, escalate_ticket, escalation)
    first, _ = await world.history(held.ticket_id)
    assert (first.status, first.accepted_at is None) == ("escalated", False)
    assert (await world.ticket(held.ticket_id)).updated_at > before.updated_at


async def test_a_command_that_leaves_the_ticket_as_it_is_leaves_its_time_too(world, held):
    before = await world.ticket(held.ticket_id)
    await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    assert await world.ticket(held.ticket_id) == before


async def test_by_its_twin(world, overtaken, held, escalation):
    async def twin():
        await world.run(escalate_ticket, escalation, key="k")

    async with overtaken(twin) as db:
        answer = await run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
    assert [a.id for a in await world.history(held.ticket_id)] == [held.id, answer.id]


async def test_by_its_twin_on_another_ticket(make, world, overtaken, escalation):
    """Which is another wish, and has taken the key."""
    other = await make.assigned()

    async def twin():
        command = AcceptAssignment(assignment_id=other.id)
        await outcome(world.run(accept_assignment, command, key="k"))

    async with overtaken(twin) as db:
        refused = await outcome(run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k"))
    assert type(refused).__name__ == "IdempotencyKeyReused"
    assert len(await world.history(escalation.ticket_id)) == 1


async def test_by_who_closes_the_ticket(world, overtaken, held, escalation):
    async with overtaken("UPDATE service_tickets SET status = 'closed' WHERE id = $1", held.ticket_id) as db:
        with pytest.raises(TicketNotOpen):
            await run(db, DISPATCHER, escalate_ticket, escalation)
    assert await world.history(held.ticket_id) == [held]


async def test_by_an_application_that_changes_the_assignment_without_the_ticket(world, overtaken, held):
    """As the old one does, and a server of the release before this one."""
    ending = """UPDATE engineer_assignments SET status = 'cancelled', completed_at = now(),
        cancellation_reason = 'x' WHERE id = $1"""
    async with overtaken(ending, held.id) as db:
        with pytest.raises(TransitionNotAllowed) as told:
            await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
    assert told.value.current_assignment is None
    [left] = await world.history(held.ticket_id)
    assert (left.status, left.accepted_at) == ("cancelled", None)
    assert [event[0] for event in await world.events(held.ticket_id)] == ["assigned"]


async def test_by_an_application_that_opens_an_assignment_without_the_ticket(
    make, world, overtaken, held, escalation
):
    handing_over = f"""
    UPDATE engineer_assignments SET status = 'cancelled', completed_at = now(), cancellation_reason = 'x'
    WHERE id = '{held.id}';
    INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence, assignment_tier,
        assignment_tier_name) VALUES ('{held.ticket_id}', '{await make.engineer()}', 2, 1, 'OEM')"""
    seen = EscalateTicket(
        ticket_id=held.ticket_id,
        next_engineer_id=escalation.next_engineer_id,
        reason="x",
        expected_sequence=1,
    )
    async with overtaken(handing_over) as db:
        with pytest.raises(StaleSequence) as told:
            await run(db, DISPATCHER, escalate_ticket, seen)
    assert (told.value.current_sequence, told.value.current_assignment.assignment_sequence) == (2, 2)
    assert [a.status for a in await world.history(held.ticket_id)] == ["cancelled", "assigned"]


async def test_by_an_application_that_takes_the_ticket_without_changing_it(make, world, overtaken):
    ticket, engineer = await make.ticket(), await make.engineer()
    taking = f"""INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence,
        assignment_tier, assignment_tier_name) VALUES ('{ticket}', '{engineer}', 1, 1, 'OEM')"""
    async with overtaken(taking) as db:
        with pytest.raises(TicketAlreadyAssigned):
            await run(db, DISPATCHER, assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=engineer))
    assert len(await world.history(ticket)) == 1
    assert (await world.ticket(ticket)).status == "new"


async def test_a_rival_that_gives_up_has_not_overtaken_anybody(world, shared_url, held, escalation):
    async with open_database(shared_url, pool_size=1) as db:
        rival = asyncpg.connect(shared_url)
        conn = await rival
        giving_up = conn.transaction()
        await giving_up.start()
        await conn.execute("UPDATE service_tickets SET status = 'closed' WHERE id = $1", held.ticket_id)
        escalating = asyncio.create_task(run(db, DISPATCHER, escalate_ticket, escalation))
        while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
        await giving_up.rollback()
        assert (await escalating).assignment_sequence == 2
        await conn.close()
        assert (
            b'baton_statement_duration_seconds_count{statement="tickets.lock_ticket"}'
            not in db.metrics.text()
        )


async def test_servers_that_all_want_one_ticket_each_get_their_turn(make, world, shared_url, held):
    engineers = [await make.engineer() for _ in range(40)]
    wishes = [ReassignTicket(ticket_id=held.ticket_id, engineer_id=e, reason="x") for e in engineers]
    async with AsyncExitStack() as servers:
        dbs = [await servers.enter_async_context(open_database(shared_url, pool_size=1)) for _ in range(8)]
        opened = await asyncio.gather(
            *(run(dbs[n % 8], DISPATCHER, reassign_ticket, command) for n, command in enumerate(wishes))
        )
    assert sorted(a.assignment_sequence for a in opened) == list(range(2, 42))
    history = await world.history(held.ticket_id)
    assert [a.assignment_sequence for a in history] == list(range(1, 42))
    assert [a.assigned_at for a in history] == sorted(a.assigned_at for a in history)
    assert {a.id: a.engineer_id for a in opened}.items() <= {a.id: a.engineer_id for a in history}.items()
