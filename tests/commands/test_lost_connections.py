"""A command that loses its connection or its client at any step: the change is made once, or not at all."""

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

SNAPSHOT, SAVE = "snapshot", "save and commit"
COMMIT = "COMMIT"
LOCKED_STEPS = ("BEGIN", "lock", "snapshot after lock", "save", COMMIT)
STEPS = (SNAPSHOT, SAVE, *LOCKED_STEPS)
COMMITS = (SAVE, COMMIT)


def step_of(text: str, *, in_transaction: bool) -> str:
    match statement_name(text):
        case "begin":
            return "BEGIN"
        case "commit":
            return COMMIT
        case "tickets.lock_ticket":
            return "lock"
        case "assignments.ticket_snapshots":
            return "snapshot after lock" if in_transaction else SNAPSHOT
        case "assignments.save_changes":
            return "save" if in_transaction else SAVE
        case other:
            return other


@dataclass
class Fault:
    """A fault at one step of a command. Before steps after the lock, a conflict ends the fast path."""

    step: str
    kind: str
    times: int = 1
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


class FaultyConnection(asyncpg.Connection):
    """Makes one step of a command fail."""

    fault: ClassVar[Fault]

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        return await self._step(query, super().execute(query, *args, **options))

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        return await self._step(query, super().fetch(query, *args, **options))

    async def _step(self, query: str, running: Any) -> Any:
        fault = self.fault
        step = step_of(query, in_transaction=self.is_in_transaction())
        if step == SAVE and fault.step in LOCKED_STEPS:
            await self._on_other_connection("UPDATE service_tickets SET updated_at = updated_at")
        if step != fault.step or not fault.times:
            return await running
        fault.times -= 1
        if fault.kind == "client disconnects":
            fault.reached.set()
            await fault.go_on.wait()
        elif fault.kind == "lost before":
            await self._on_other_connection("SELECT pg_terminate_backend($1, 5000)", self.get_server_pid())
        elif fault.kind == "cancelled":
            # Takes effect after the statement is sent and before its result arrives.
            asyncio.current_task().cancel()
        result = await running
        if fault.kind == "result lost":
            self.terminate()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return result

    async def _on_other_connection(self, statement: str, *args: object) -> None:
        admin = await asyncpg.connect(**self.target)
        await admin.execute(statement, *args)
        await admin.close()

    target: ClassVar[dict[str, Any]]


@asynccontextmanager
async def faulty(url: str, fault: Fault):
    FaultyConnection.fault, FaultyConnection.target = fault, {"dsn": url}
    settings = TimeLimits().session_settings
    async with asyncpg.create_pool(
        url, min_size=1, max_size=2, connection_class=FaultyConnection, server_settings=settings
    ) as pool:
        db = Database(pool)
        yield db
        await db.finish()
        fault.times = 0
        # The pool still has all its connections.
        async with db.connection() as one, db.connection() as other:
            assert [await one.fetchval("SELECT 1"), await other.fetchval("SELECT 2")] == [1, 2]
        assert pool.get_idle_size() == pool.get_size()


@pytest.fixture
async def escalation(make):
    assigned = await make.assigned()
    return EscalateTicket(ticket_id=assigned.ticket_id, next_engineer_id=await make.engineer(), reason="x")


async def assert_saved_once(world, command):
    """Repeat the command with the same key: the change was saved once and whole."""
    result = await world.run(escalate_ticket, command, key="k")
    first, second = await world.history(command.ticket_id)
    assert (first.status, second) == ("escalated", result)
    assert [event[:2] for event in await world.events(command.ticket_id)] == [
        ("assigned", 1),
        ("escalated", 1),
        ("assigned", 2),
    ]


@pytest.mark.parametrize("kind", ["lost before", "result lost"])
@pytest.mark.parametrize("step", STEPS)
async def test_connection_lost_at_any_step(world, shared_url, escalation, step, kind):
    async with faulty(shared_url, Fault(step, kind)) as db:
        escalating = run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
        if step in COMMITS:
            with pytest.raises(OutcomeUnknown):
                await escalating
            is_saved = len(await world.history(escalation.ticket_id)) == 2
            assert is_saved == (kind == "result lost")
        else:
            assert (await escalating).assignment_sequence == 2
    await assert_saved_once(world, escalation)


@pytest.mark.parametrize("step", [step for step in LOCKED_STEPS if step != COMMIT])
async def test_connection_lost_at_every_attempt(world, shared_url, escalation, step):
    fault = Fault(step, "result lost", times=1000)
    async with faulty(shared_url, fault) as db:
        with pytest.raises(Unavailable) as error:
            await run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
        assert (type(error.value), fault.times) == (Unavailable, 1000 - ATTEMPTS)
    assert len(await world.history(escalation.ticket_id)) == 1
    await assert_saved_once(world, escalation)


@pytest.mark.parametrize("commit", COMMITS)
async def test_unknown_outcome_is_not_retried(make, world, shared_url, commit):
    ticket = await make.ticket()
    command = AssignTicket(ticket_id=ticket, engineer_id=await make.engineer())
    fault = Fault(commit, "result lost", times=1000)
    async with faulty(shared_url, fault) as db:
        with pytest.raises(OutcomeUnknown):
            await run(db, DISPATCHER, assign_ticket, command)
        assert fault.times == 999
        assert b"baton_transaction_unknown_outcomes_total 1.0" in db.metrics.text()
    assert len(await world.history(ticket)) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_client_disconnect_does_not_stop_the_command(world, shared_url, escalation, step):
    fault = Fault(step, "client disconnects")
    async with faulty(shared_url, fault) as db:
        client = asyncio.create_task(run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k"))
        await fault.reached.wait()
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client
        fault.go_on.set()
        await db.finish()
        assert len(await world.history(escalation.ticket_id)) == 2
    await assert_saved_once(world, escalation)


@pytest.mark.parametrize("step", STEPS)
async def test_cancelled_command_is_saved_whole_or_not_at_all(world, shared_url, escalation, step):
    """As at shutdown, when commands are no longer shielded."""
    async with faulty(shared_url, Fault(step, "cancelled")) as db:
        with pytest.raises(asyncio.CancelledError):
            await run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k")
    assert step in COMMITS or len(await world.history(escalation.ticket_id)) == 1
    await assert_saved_once(world, escalation)


@pytest.mark.parametrize("commit", COMMITS)
async def test_duplicate_waits_for_the_first_command(world, shared_url, escalation, commit):
    fault = Fault(commit, "client disconnects")
    async with faulty(shared_url, fault) as db:
        first = asyncio.create_task(run(db, DISPATCHER, escalate_ticket, escalation, idempotency_key="k"))
        await fault.reached.wait()
        first.cancel()
        duplicate = asyncio.create_task(world.run(escalate_ticket, escalation, key="k"))
        await asyncio.sleep(0)
        fault.go_on.set()
        assert (await duplicate).assignment_sequence == 2
    await assert_saved_once(world, escalation)
