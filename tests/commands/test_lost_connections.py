"""At whatever step a command loses its database or its client: the change is whole or absent, never twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import asyncpg
import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.db.connections import TimeLimits
from app.db.errors import OutcomeUnknown, Unavailable
from app.db.pool import ATTEMPTS, Database
from app.db.sql import statement_name
from tests.factories import DISPATCHER

READING, CHANGE = "reading", "the change with its COMMIT"
AT_ONCE = (READING, CHANGE)
COMMIT = "COMMIT"
UNDER_LOCK = ("BEGIN", "the lock", "reading under it", "the change", COMMIT)
STEPS = (*AT_ONCE, *UNDER_LOCK)
COMMITS = (CHANGE, COMMIT)


def step_of(text: str, *, in_transaction: bool) -> str:
    match statement_name(text):
        case "begin":
            return "BEGIN"
        case "commit":
            return COMMIT
        case "tickets.lock_ticket":
            return "the lock"
        case "assignments.ticket_snapshot":
            return "reading under it" if in_transaction else READING
        case "assignments.save_change":
            return "the change" if in_transaction else CHANGE
        case other:
            return other


@dataclass
class Fault:
    """What happens at one step of a change, so many times. Its ticket is overtaken if that takes it there."""

    step: str
    when: str
    times: int = 1
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


class Faulty(asyncpg.Connection):
    """Knows the steps of a change, and lets one go wrong."""

    fault: ClassVar[Fault]

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        return await self._step(query, super().execute(query, *args, **options))

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        return await self._step(query, super().fetchrow(query, *args, **options))

    async def _step(self, query: str, doing: Any) -> Any:
        fault = self.fault
        step = step_of(query, in_transaction=self.is_in_transaction())
        if step == CHANGE and fault.step in UNDER_LOCK:
            await self._as_somebody_else("UPDATE service_tickets SET updated_at = updated_at")
        if step != fault.step or not fault.times:
            return await doing
        fault.times -= 1
        if fault.when == "its client leaves":
            fault.reached.set()
            await fault.go_on.wait()
        elif fault.when == "the server goes before":
            await self._as_somebody_else("SELECT pg_terminate_backend($1, 5000)", self.get_server_pid())
        elif fault.when == "it is cancelled":
            # The step has been sent when this is noticed, and its answer has not come.
            asyncio.current_task().cancel()
        answer = await doing
        if fault.when == "the answer is lost":
            self.terminate()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return answer

    async def _as_somebody_else(self, statement: str, *args: object) -> None:
        admin = await asyncpg.connect(**self.target)
        await admin.execute(statement, *args)
        await admin.close()

    target: ClassVar[dict[str, Any]]


@asynccontextmanager
async def faulty(url: str, fault: Fault):
    Faulty.fault, Faulty.target = fault, {"dsn": url}
    settings = TimeLimits().session_settings
    async with asyncpg.create_pool(
        url, min_size=1, max_size=2, connection_class=Faulty, server_settings=settings
    ) as pool:
        db = Database(pool)
        yield db
        await db.finish()
        fault.times = 0
        # The pool is whole: it lends as many as it may, and gets them back.
        async with db.connection() as one, db.connection() as other:
            assert [await one.fetchval("SELECT 1"), await other.fetchval("SELECT 2")] == [1, 2]
        assert pool.get_idle_size() == pool.get_size()


@pytest.fixture
async def escalation(make):
    held = await make.assigned()
    return EscalateTicket(ticket_id=held.ticket_id, next_engineer_id=await make.engineer(), reason="x")


async def is_made_once(world, command):
    """Sent again under the same key, it is answered; and it was made once and whole."""
    answer = await world.run(escalate_ticket, command, key="k")
    first, second = await world.history(command.ticket_id)
    assert (first.status, second) == ("escalated", answer)
    assert [event[:2] for event in await world.events(command.ticket_id)] == [
        ("assigned", 1),
        ("escalated", 1),
        ("assigned", 2),
    ]


@pytest.mark.parametrize("when", ["the server goes before", "the answer is lost"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_connection_lost_at_any_step(world, shared_url, escalation, step, when):
    async with faulty(shared_url, Fault(step, when)) as db:
        escalating = run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
        if step in COMMITS:
            with pytest.raises(OutcomeUnknown):
                await escalating
            made = len(await world.history(escalation.ticket_id)) == 2
            assert made == (when == "the answer is lost")
        else:
            assert (await escalating).assignment_sequence == 2
    await is_made_once(world, escalation)


@pytest.mark.parametrize("step", [step for step in UNDER_LOCK if step != COMMIT])
async def test_a_connection_that_is_lost_again_and_again(world, shared_url, escalation, step):
    fault = Fault(step, "the answer is lost", times=1000)
    async with faulty(shared_url, fault) as db:
        with pytest.raises(Unavailable) as told:
            await run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
        assert (type(told.value), fault.times) == (Unavailable, 1000 - ATTEMPTS)
    assert len(await world.history(escalation.ticket_id)) == 1
    await is_made_once(world, escalation)


@pytest.mark.parametrize("commit", COMMITS)
async def test_without_a_key_what_is_unknown_is_still_not_tried_again(make, world, shared_url, commit):
    ticket = await make.ticket()
    command = AssignTicket(ticket_id=ticket, engineer_id=await make.engineer())
    fault = Fault(commit, "the answer is lost", times=1000)
    async with faulty(shared_url, fault) as db:
        with pytest.raises(OutcomeUnknown):
            await run(db, DISPATCHER, assign_ticket, command)
        assert fault.times == 999
        assert b"baton_transaction_unknown_outcomes_total 1.0" in db.metrics.text()
    assert len(await world.history(ticket)) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_client_that_leaves_at_any_step_changes_nothing_about_it(world, shared_url, escalation, step):
    fault = Fault(step, "its client leaves")
    async with faulty(shared_url, fault) as db:
        client = asyncio.create_task(run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k"))
        await fault.reached.wait()
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client
        fault.go_on.set()
        await db.finish()
        assert len(await world.history(escalation.ticket_id)) == 2
    await is_made_once(world, escalation)


@pytest.mark.parametrize("step", STEPS)
async def test_a_change_that_is_cancelled_itself_at_any_step(world, shared_url, escalation, step):
    """As it is when the process ends: nobody shields it any more."""
    async with faulty(shared_url, Fault(step, "it is cancelled")) as db:
        with pytest.raises(asyncio.CancelledError):
            await run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
    assert step in COMMITS or len(await world.history(escalation.ticket_id)) == 1
    await is_made_once(world, escalation)


@pytest.mark.parametrize("commit", COMMITS)
async def test_a_twin_waits_for_the_one_whose_client_left(world, shared_url, escalation, commit):
    fault = Fault(commit, "its client leaves")
    async with faulty(shared_url, fault) as db:
        first = asyncio.create_task(run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k"))
        await fault.reached.wait()
        first.cancel()
        twin = asyncio.create_task(world.run(escalate_ticket, escalation, key="k"))
        await asyncio.sleep(0)
        fault.go_on.set()
        assert (await twin).assignment_sequence == 2
    await is_made_once(world, escalation)
