"""The demo data is reproducible and consistent with the rules of the commands."""

from datetime import UTC, datetime, timedelta

import pytest

from app.db.pool import open_database
from app.demo.load import NotEmpty, SeedCounts, is_empty, seed
from app.domain.lifecycle import ACTIVE, AFTER_COMPLETE
from app.domain.model import AssignmentStatus, AssignmentType, CompletionStatus, TicketPriority, TicketStatus
from app.domain.period import Period
from app.queries import assignments, billing
from app.queries.billing import BillingFilter
from tests.databases import new_database
from tests.factories import as_engineer

NOW = datetime(2026, 3, 1, 12, 30, 15, 999, tzinfo=UTC)
TABLES = ("engineers", "equipment", "service_tickets", "engineer_assignments", "ticket_events")


async def fetch(db, query, *args):
    async with db.connection() as conn:
        return [tuple(record) for record in await conn.fetch(query, *args)]


async def values(db, query, *args):
    return {record[0] for record in await fetch(db, query, *args)}


async def content(db):
    """Return all rows of all tables, without the generated ids of events and rates."""
    expressions = dict.fromkeys((*TABLES, "hourly_rates"), "to_jsonb(r)")
    expressions |= dict.fromkeys(["ticket_events", "hourly_rates"], "(to_jsonb(r) - 'id')")
    return [
        await fetch(db, f"SELECT {row}::text FROM {table} r ORDER BY 1") for table, row in expressions.items()
    ]


@pytest.fixture(scope="module")
async def seeded(server, template):
    """A database with demo data, shared by the tests that only read it."""
    async with new_database(server, template) as url, open_database(url, pool_size=2) as db:
        await seed(db, tickets=300, now=NOW)
        yield db


async def test_equal_arguments_load_equal_rows(seeded, fresh_db):
    await seed(fresh_db, tickets=300, now=NOW)
    assert await content(fresh_db) == await content(seeded)


async def test_counts_and_progress_are_reported(db):
    progress = []
    counts = await seed(db, tickets=750, progress=progress.append, now=NOW)
    rows = [(await fetch(db, f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES]
    assert counts == SeedCounts(*rows)
    assert counts.tickets == 750
    assert counts.assignments / counts.tickets == pytest.approx(2.5, abs=0.3)
    assert progress == [250] * 3


async def test_a_database_that_is_not_empty_is_rejected(db, make):
    assert await is_empty(db)
    await make.ticket()
    assert not await is_empty(db)
    with pytest.raises(NotEmpty, match="needs an empty one"):
        await seed(db, tickets=10, now=NOW)
    assert await fetch(db, "SELECT count(*) FROM engineers") == [(0,)]


async def test_a_failure_loads_nothing(db):
    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await seed(db, tickets=10, progress=fail, now=NOW)
    assert await is_empty(db)


async def test_demo_data_ends_at_the_time_of_the_database(db):
    await seed(db, tickets=100)
    ((newest, now),) = await fetch(db, "SELECT max(created_at), clock_timestamp() FROM service_tickets")
    assert now - timedelta(hours=1) < newest <= now


@pytest.mark.parametrize("tickets", [0, 1])
async def test_zero_or_one_ticket_can_be_loaded(db, tickets):
    counts = await seed(db, tickets=tickets, now=NOW)
    assert counts.tickets == tickets
    assert counts.engineers == 40


async def test_every_status_type_and_rating_occurs(seeded):
    assert await values(seeded, "SELECT status FROM service_tickets") == set(TicketStatus)
    assert await values(seeded, "SELECT priority FROM service_tickets") == set(TicketPriority)
    assert await values(seeded, "SELECT status FROM engineer_assignments") == set(AssignmentStatus)
    assert await values(seeded, "SELECT assignment_type FROM engineer_assignments") == set(AssignmentType)
    assert await values(seeded, "SELECT completion_status FROM engineer_assignments") == {
        *CompletionStatus,
        None,
    }
    types = await values(seeded, "SELECT type FROM ticket_events")
    assert types == {
        "assigned", "accepted", "rejected", "started", "completed", "failed", "escalated", "reassigned",
        "cancelled", "rated", "ticket_created", "ticket_closed", "ticket_cancelled",
    }  # fmt: skip
    assert await values(seeded, "SELECT customer_rating FROM engineer_assignments") == {None, 1, 2, 3, 4, 5}
    assert await values(
        seeded,
        """SELECT count(a.id) FROM service_tickets t LEFT JOIN engineer_assignments a ON a.ticket_id = t.id
        GROUP BY t.id""",
    ) == {0, 1, 2, 3, 4, 5}
    id_lengths = "SELECT length(id) FROM service_tickets"
    assert await values(seeded, id_lengths) == {len("TICKET-2026-0001"), 27, 36}
    assert await values(seeded, "SELECT is_active FROM engineers") == {True, False}


async def test_some_tickets_escalate_from_tier_1_to_3(seeded):
    assert await fetch(
        seeded,
        """SELECT 1 FROM engineer_assignments GROUP BY ticket_id
        HAVING array_agg(assignment_tier ORDER BY assignment_sequence) @> '{1,2,3}' LIMIT 1""",
    )


async def test_sequences_have_no_gap_and_only_the_last_row_is_active(seeded):
    for sequences, statuses in await fetch(
        seeded,
        """SELECT array_agg(assignment_sequence ORDER BY assignment_sequence),
            array_agg(status ORDER BY assignment_sequence)
        FROM engineer_assignments GROUP BY ticket_id""",
    ):
        assert sequences == list(range(1, len(sequences) + 1))
        assert ACTIVE.isdisjoint(statuses[:-1])


async def test_only_an_escalation_raises_the_tier(seeded):
    steps = await fetch(
        seeded,
        """SELECT b.assignment_type, a.status, b.assignment_tier - a.assignment_tier,
            b.assigned_at >= coalesce(a.completed_at, a.rejected_at)
        FROM engineer_assignments a JOIN engineer_assignments b
            ON b.ticket_id = a.ticket_id AND b.assignment_sequence = a.assignment_sequence + 1""",
    )
    assert steps
    for kind, ended_as, rise, is_later in steps:
        assert is_later
        assert rise == (1 if kind == "escalation" else 0)
        assert (kind == "escalation") == (ended_as == "escalated")


async def test_the_ticket_status_follows_from_the_last_assignment(seeded):
    after = {s.value: {t.value} for s, t in AFTER_COMPLETE.values() if s is AssignmentStatus.FAILED}
    after |= {
        "assigned": {"assigned"},
        "accepted": {"assigned"},
        "in_progress": {"in_progress"},
        "rejected": {"new"},
        "cancelled": {"new", "cancelled"},
        None: {"new", "cancelled"},
        "success": {"resolved", "closed"},
        "parts_required": {"on_hold"},
        "customer_unavailable": {"on_hold"},
    }
    rows = await fetch(
        seeded,
        """SELECT t.status, CASE a.status WHEN 'completed' THEN a.completion_status ELSE a.status END,
            (t.closed_at IS NOT NULL) = (t.status = 'closed'),
            (t.resolved_at IS NOT NULL) = (t.status IN ('resolved', 'closed')),
            t.resolved_at IS NULL OR t.resolved_at = a.completed_at,
            t.started_at IS NOT DISTINCT FROM (
                SELECT min(s.started_at) FROM engineer_assignments s WHERE s.ticket_id = t.id)
        FROM service_tickets t LEFT JOIN LATERAL (
            SELECT * FROM engineer_assignments a WHERE a.ticket_id = t.id
            ORDER BY assignment_sequence DESC LIMIT 1) AS a ON true""",
    )
    assert len(rows) == 300
    for ticket_status, ended_as, *times_match in rows:
        assert ticket_status in after[ended_as]
        assert all(times_match)


async def test_times_are_in_order_and_not_after_now(seeded):
    rows = await fetch(
        seeded,
        """SELECT t.created_at, a.assigned_at, a.accepted_at, a.started_at,
            coalesce(a.completed_at, a.rejected_at), a.updated_at, t.closed_at, t.updated_at
        FROM service_tickets t LEFT JOIN engineer_assignments a ON a.ticket_id = t.id""",
    )
    for *times, closed_at, ticket_updated_at in rows:
        known = [at for at in times if at is not None]
        assert known == sorted(known)
        assert known[0] >= NOW - timedelta(days=91)
        assert max(known[-1], ticket_updated_at) <= NOW
        assert closed_at in (None, ticket_updated_at)
    assert await values(seeded, "SELECT max(recorded_at) <= $1 FROM ticket_events", NOW) == {True}


async def test_most_open_tickets_are_from_the_last_week(seeded):
    ((recent, total),) = await fetch(
        seeded,
        """SELECT count(*) FILTER (WHERE created_at > $1::timestamptz - interval '7 days'), count(*)
        FROM service_tickets WHERE status NOT IN ('resolved', 'closed', 'cancelled')""",
        NOW,
    )
    assert recent > total / 2 > 15


async def test_most_hours_have_a_rate_and_some_rates_were_raised(seeded):
    billing_filter = BillingFilter(Period.between(NOW - timedelta(days=91), NOW + timedelta(seconds=1)))
    async with seeded.connection() as conn:
        totals = await billing.totals(conn, billing_filter)
    assert 0 < totals.unpriced_hours < totals.hours / 10
    assert totals.cost > totals.parts_cost > 0
    rates = "SELECT count(*) FROM hourly_rates GROUP BY engineer_id"
    assert await values(seeded, rates) == {1, 2}


async def test_inactive_engineers_have_past_but_no_active_assignments(seeded):
    statuses = await values(
        seeded,
        """SELECT a.status FROM engineers e LEFT JOIN engineer_assignments a ON a.engineer_id = e.id
        WHERE NOT e.is_active""",
    )
    assert statuses
    assert statuses <= set(AssignmentStatus) - ACTIVE


async def test_engineers_have_the_skill_and_a_handover_changes_the_engineer(seeded):
    assert await fetch(
        seeded,
        """SELECT bool_and(q.category = ANY (e.skills)), bool_and(a.engineer_id <> b.engineer_id)
        FROM engineer_assignments a
        JOIN engineers e ON e.id = a.engineer_id
        JOIN equipment q ON q.id = a.equipment_id
        LEFT JOIN engineer_assignments b
            ON b.ticket_id = a.ticket_id AND b.assignment_sequence = a.assignment_sequence + 1""",
    ) == [(True, True)]


async def test_the_last_event_of_each_assignment_equals_its_row(seeded):
    matches = await fetch(
        seeded,
        """SELECT to_jsonb(a) = e.assignment FROM engineer_assignments a LEFT JOIN LATERAL (
            SELECT assignment FROM ticket_events e WHERE e.assignment_id = a.id ORDER BY id DESC LIMIT 1
        ) AS e ON true""",
    )
    assert set(matches) == {(True,)}
    assert await values(seeded, "SELECT origin FROM engineer_assignments") == {"live"}


async def test_events_are_in_order_of_time_and_have_the_resulting_status(seeded):
    status_after = {"started": "in_progress", "reassigned": "cancelled", "rated": "completed"}
    last_at, known = {}, set()
    for ticket, assignment, kind, status, at in await fetch(
        seeded,
        """SELECT ticket_id, assignment_id, type, assignment ->> 'status', recorded_at
        FROM ticket_events WHERE assignment_id IS NOT NULL ORDER BY id""",
    ):
        assert at >= last_at.get(ticket, at)
        assert status == status_after.get(kind, kind)
        assert (assignment in known) == (kind != "assigned")
        last_at[ticket] = at
        known.add(assignment)


async def test_commands_work_on_demo_data(db, world):
    await seed(db, tickets=100, now=NOW)
    ((row_id,),) = await fetch(db, "SELECT id FROM engineer_assignments WHERE status = 'accepted' LIMIT 1")
    async with db.connection() as conn:
        [accepted] = await assignments.by_ids(conn, [row_id])
    started = await world.act("start", accepted, as_engineer(accepted.engineer_id))
    assert started.status is AssignmentStatus.IN_PROGRESS
