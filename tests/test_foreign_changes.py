"""Changes of tickets by SQL of other applications: each is recorded once, and none fails because of us."""

import asyncio
import json
from contextlib import aclosing, suppress
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.connections import connect
from app.domain.errors import DomainError
from app.domain.model import TicketStatus
from app.events import EventFilter, Feed
from tests.commands.samples import SAMPLES


async def events(conn, ticket):
    rows = await conn.fetch(
        "SELECT type, actor, source, changes, details, ticket_version FROM ticket_events"
        " WHERE ticket_id = $1 ORDER BY id",
        ticket,
    )
    return [tuple(row) for row in rows]


@pytest.fixture
async def conn(shared_url, db):
    async with connect(shared_url) as conn:
        yield conn


async def test_an_insert_is_an_event_and_waits(conn, world):
    await conn.execute(
        "INSERT INTO service_tickets (id, ticket_number, customer_name) VALUES ('X', 'N 1', 'St. Anna')"
    )
    [(type_, actor, source, changes, _, version)] = await events(conn, "X")
    user = await conn.fetchval("SELECT session_user")
    assert (type_, actor, source, version) == ("ticket_created", f"database:{user}", "other_application", 1)
    assert '"customer_name": [null, "St. Anna"]' in changes
    assert (await world.details("X")).waiting_since is not None


@pytest.mark.parametrize(
    ("before", "after", "type_"),
    [
        ("new", "on_hold", "ticket_held"),
        ("on_hold", "new", "ticket_resumed"),
        ("in_progress", "resolved", "ticket_resolved"),
        ("resolved", "closed", "ticket_closed"),
        ("closed", "new", "ticket_reopened"),
        ("new", "cancelled", "ticket_cancelled"),
        ("new", "assigned", "ticket_updated"),
    ],
)
async def test_the_type_follows_from_the_status(conn, make, before, after, type_):
    ticket = await make.ticket(status=before)
    await conn.execute("UPDATE service_tickets SET status = $2 WHERE id = $1", ticket, after)
    [event] = await events(conn, ticket)
    assert (event[0], event[5]) == (type_, 2)
    assert json.loads(event[3])["status"] == [before, after]


async def test_only_committed_differences_are_events(conn, make):
    ticket = await make.ticket(customer_name="St. Anna")
    await conn.execute("UPDATE service_tickets SET customer_name = 'St. Anna', updated_at = now()")
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("UPDATE service_tickets SET customer_name = 'x'")
    await transaction.rollback()
    assert await events(conn, ticket) == []
    async with conn.transaction():
        await conn.execute("UPDATE service_tickets SET customer_name = 'x'")
        await conn.execute("UPDATE service_tickets SET priority = 'low'")
    first, second = [json.loads(event[3]) for event in await events(conn, ticket)]
    assert first.pop("waiting_since")[0] is None  # it was not known before
    assert (first, second) == ({"customer_name": ["St. Anna", "x"]}, {"priority": ["medium", "low"]})


async def test_a_deleted_ticket_has_an_event_and_no_details(conn, make, world):
    ticket = await make.ticket(ticket_number="N 1")
    await conn.execute("UPDATE service_tickets SET priority = 'low'")
    await conn.execute("DELETE FROM service_tickets WHERE id = $1", ticket)
    assert [event[0] for event in await events(conn, ticket)] == ["ticket_updated", "ticket_deleted"]
    assert (await world.details(ticket)).version == 1


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if hasattr(s.command, "ticket_id")], ids=lambda s: s.action
)
async def test_a_command_is_never_recorded_as_foreign(conn, make, world, sample):
    command, _ = await sample.prepare(make, world)
    await world.run(sample.decide, command)
    sources = await conn.fetch("SELECT DISTINCT source FROM ticket_events")
    assert [row[0] for row in sources] == ["person"]


@pytest.mark.parametrize(
    ("damage", "repair"),
    [
        ("ticket_events ADD CONSTRAINT no CHECK (false) NOT VALID", "ticket_events DROP CONSTRAINT no"),
        ("ticket_details RENAME TO other", "other RENAME TO ticket_details"),
        ("service_tickets RENAME priority TO urgency", "service_tickets RENAME urgency TO priority"),
        ("service_tickets ADD odd json DEFAULT '{}'", "service_tickets DROP odd"),
    ],
)
async def test_other_applications_never_fail(conn, make, damage, repair):
    ticket = await make.ticket()
    await conn.execute(f"ALTER TABLE {damage}")
    try:
        await conn.execute("UPDATE service_tickets SET customer_name = 'x' WHERE id = $1", ticket)
        gaps = await conn.fetchval("SELECT count(*) FROM ticket_event_gaps WHERE ticket_id = $1", ticket)
    finally:
        await conn.execute(f"ALTER TABLE {repair}")
    assert gaps + len(await events(conn, ticket)) == 1


async def test_a_role_without_any_of_our_tables_can_change_tickets(conn, make):
    ticket = await make.ticket()
    await conn.execute("CREATE ROLE other_app; GRANT SELECT, UPDATE ON service_tickets TO other_app")
    try:
        await conn.execute("SET ROLE other_app")
        await conn.execute("UPDATE service_tickets SET customer_name = 'x' WHERE id = $1", ticket)
    finally:
        await conn.execute("RESET ROLE; DROP OWNED BY other_app; DROP ROLE other_app")
    assert len(await events(conn, ticket)) == 1


async def test_followers_see_it_within_two_seconds(conn, db, shared_url):
    feed = Feed(shared_url)
    running = asyncio.create_task(feed.run())
    try:
        async with aclosing(feed.follow(db, EventFilter())) as items:
            following = asyncio.ensure_future(anext(items))
            await asyncio.sleep(0.5)
            await conn.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ('X', 'N 1')")
            async with asyncio.timeout(10):
                assert (await following).event.type == "ticket_created"
    finally:
        running.cancel()


def same(one, other):
    """PostgreSQL and Python write times differently."""
    if one is not None and one[:2] == "20":
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    return one == other


CHANGES = st.sampled_from(
    [
        *("hold_ticket", "resume_ticket", "close_ticket", "reopen_ticket", "cancel_ticket", "update_ticket"),
        *("assign", "accept", "start", "complete", "escalate", "reject"),
        *TicketStatus,
    ]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(CHANGES, min_size=1, max_size=12))
async def test_events_replay_to_the_ticket(conn, make, world, steps):
    """Folding the changes of a ticket's events, its own and foreign ones, gives its row and its version."""
    first = await make.assigned()
    ticket = first.ticket_id
    for step in steps:
        if isinstance(step, TicketStatus):
            await conn.execute("UPDATE service_tickets SET status = $2 WHERE id = $1", ticket, step.value)
            continue
        values = {"customer_name": f"C{len(steps)}"} if step == "update_ticket" else {}
        if step == "assign":
            values["engineer_id"] = await make.engineer()
        if step == "escalate":
            values["next_engineer_id"] = await make.engineer()
        last = (await world.history(ticket))[-1]
        with suppress(DomainError):
            await world.act(step, last, **values)
    row, details = await world.ticket(ticket), await world.details(ticket)
    replayed = {"status": "new"}
    versions = [1]
    for _, _, _, changes, _, version in await events(conn, ticket):
        for name, (before, after) in json.loads(changes or "{}").items():
            assert same(replayed.get(name), before), name
            replayed[name] = after
        if changes:
            versions.append(version)
    assert versions == list(range(1, details.version + 1))
    assert replayed["status"] == row.status
    assert replayed.get("customer_name") == row.customer_name
    assert (replayed.get("hold_reason"), replayed.get("duplicate_of")) == (
        details.hold_reason,
        details.duplicate_of,
    )
