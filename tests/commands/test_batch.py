"""Commands that run together: each has the result that it has alone."""

import asyncio

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.batch import MAX_COMMANDS
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.db.connections import TimeLimits
from app.db.errors import OutcomeUnknown
from app.db.pool import open_database
from app.domain.errors import DomainError, EngineerInactive, TicketAlreadyAssigned, TicketNotFound
from app.domain.model import TicketId
from app.queries import tickets
from tests.commands.samples import SAMPLES
from tests.commands.world import NOBODY
from tests.factories import DISPATCHER

BATCH = 10


@pytest.fixture
async def statements(shared_url):
    """A database, and the names of the statements that it runs."""
    seen = []
    async with open_database(
        shared_url, pool_size=3, limits=TimeLimits(lock_s=1), on_statement=lambda name, _: seen.append(name)
    ) as db:
        yield db, seen


@pytest.fixture
async def new_tickets(make):
    return [await make.ticket() for _ in range(BATCH)]


def assign_all(db, ticket_ids, engineer, **options):
    """Start to assign all of them at once."""
    return asyncio.gather(
        *(
            run(
                db, DISPATCHER, assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=engineer), **options
            )
            for ticket in ticket_ids
        ),
        return_exceptions=True,
    )


async def test_concurrent_commands_share_two_statements(make, world, statements, new_tickets):
    db, seen = statements
    results = await assign_all(db, new_tickets, await make.engineer())
    assert seen == ["assignments.ticket_snapshots", "assignments.save_changes"]
    assert [r.ticket_id for r in results] == new_tickets
    for result in results:
        assert await world.history(result.ticket_id) == [result]
        assert await world.events(result.ticket_id) == [("assigned", 1, DISPATCHER.subject)]


async def test_a_batch_is_bounded(make, statements):
    db, seen = statements
    many = [await make.ticket() for _ in range(MAX_COMMANDS + 1)]
    await assign_all(db, many, await make.engineer())
    assert seen.count("assignments.save_changes") == 2


@pytest.mark.parametrize("sample", SAMPLES[:-1], ids=lambda sample: sample.action)
async def test_every_command_can_run_with_others(make, world, sample):
    commands = [(await sample.prepare(make, world)).command for _ in range(3)]
    results = await asyncio.gather(*(world.run(sample.decide, command) for command in commands))
    for result in results:
        assert await world.is_stored(result)


async def test_refusals_and_faults_belong_to_one_command(make, world, statements, new_tickets):
    db, _ = statements
    engineer, inactive = await make.engineer(), await make.engineer(is_active=False)
    taken = (await make.assigned()).ticket_id

    def failing(command, state):
        raise ZeroDivisionError

    def start(ticket, engineer, decide=assign_ticket):
        return run(db, DISPATCHER, decide, AssignTicket(ticket_id=ticket, engineer_id=engineer))

    results = await asyncio.gather(
        start(new_tickets[0], engineer),
        start(new_tickets[1], inactive),
        start(TicketId("none"), engineer),
        start(taken, engineer),
        start(new_tickets[2], engineer, failing),
        start(new_tickets[3], engineer),
        return_exceptions=True,
    )
    first, *others, last = results
    assert [type(other) for other in others] == [
        EngineerInactive,
        TicketNotFound,
        TicketAlreadyAssigned,
        ZeroDivisionError,
    ]
    assert [await world.history(r.ticket_id) for r in (first, last)] == [[first], [last]]


async def test_a_change_that_cannot_be_written_fails_alone(make, world, new_tickets):
    async with world.db.connection() as conn:
        await conn.execute(
            f"""ALTER TABLE ticket_events ADD CONSTRAINT failing
            CHECK (ticket_id <> '{new_tickets[3]}') NOT VALID"""
        )
    try:
        results = await assign_all(world.db, new_tickets, await make.engineer())
    finally:
        async with world.db.connection() as conn:
            await conn.execute("ALTER TABLE ticket_events DROP CONSTRAINT failing")
    assert isinstance(results.pop(3), asyncpg.CheckViolationError)
    assert await world.history(new_tickets.pop(3)) == []
    assert [await world.history(ticket) for ticket in new_tickets] == [[result] for result in results]


async def test_a_locked_ticket_delays_only_its_own_command(make, world, statements, new_tickets):
    db, _ = statements
    engineer = await make.engineer()
    async with world.db.transaction() as tx:
        await tickets.lock(tx, new_tickets[0])
        waiting = assign_all(db, new_tickets[:1], engineer)
        results = await assign_all(db, new_tickets[1:], engineer)
        assert not waiting.done()
    [first] = await waiting
    assert [first, *results] == [(await world.history(ticket))[0] for ticket in new_tickets]


async def test_a_batch_without_confirmation_has_an_unknown_outcome(make, world, statements, new_tickets):
    db, _ = statements
    async with world.db.connection() as conn:
        # The write waits here, is cut off, and may have been committed for all that the server says.
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("LOCK TABLE ticket_events IN SHARE MODE")
        running = assign_all(db, new_tickets, await make.engineer())
        while not await conn.fetchval(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        ):
            pass
        await transaction.rollback()
    assert {type(result) for result in await running} == {OutcomeUnknown}
    assert [await world.history(ticket) for ticket in new_tickets] == [[] for _ in new_tickets]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["assign", "escalate", "accept", "unknown"]),
            st.integers(0, 3),  # the ticket
            st.sampled_from([None, "k1", "k2"]),
        ),
        min_size=2,
        max_size=12,
    )
)
async def test_concurrent_commands_leave_what_some_order_of_them_leaves(make, world, plan):
    engineers = [await make.engineer() for _ in range(2)]
    assigned = [await make.assigned() for _ in range(2)]
    ticket_ids = [a.ticket_id for a in assigned] + [await make.ticket() for _ in range(2)]

    def command_of(kind, ticket):
        match kind:
            case "assign":
                return assign_ticket, AssignTicket(ticket_id=ticket_ids[ticket], engineer_id=engineers[0])
            case "escalate":
                return escalate_ticket, EscalateTicket(
                    ticket_id=ticket_ids[ticket], next_engineer_id=engineers[1], reason="x"
                )
            case "accept":
                return accept_assignment, AcceptAssignment(assignment_id=assigned[ticket % 2].id)
        return assign_ticket, AssignTicket(ticket_id=TicketId("none"), engineer_id=NOBODY)

    prefix = assigned[0].ticket_id  # keys of earlier examples stay in the database
    results = await asyncio.gather(
        *(world.run(*command_of(kind, ticket), key=key and f"{prefix} {key}") for kind, ticket, key in plan),
        return_exceptions=True,
    )
    assert all(isinstance(result, DomainError) or result.id for result in results)
    # A repeat has the id of the first result. An escalation is two events.
    changed = {
        (kind, r.id) for (kind, _, _), r in zip(plan, results, strict=True) if not isinstance(r, DomainError)
    }
    written = -len(assigned)
    for ticket in ticket_ids:
        history = await world.history(ticket)
        assert [a.assignment_sequence for a in history] == list(range(1, len(history) + 1))
        assert sum(a.status in ("assigned", "accepted") for a in history) <= 1
        written += len(await world.events(ticket))
    assert written == sum(2 if kind == "escalate" else 1 for kind, _ in changed)
