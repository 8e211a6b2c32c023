"""Loads years of completed work, and times each report over 30 days.

python -m tests.benchmarks.statistics [--tickets 1000000] [--plans] [--home FOLDER]
"""

import argparse
import asyncio
import statistics
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from uuid import UUID

from app.db import sql
from app.db.connections import Connection, connect
from app.db.pool import open_database
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.period import Period
from app.queries.statistics import MAX_REASONS, ReportFilter
from tests.benchmarks.migration import SERVER, log
from tests.databases import migrate_whole, new_home

START = datetime(2024, 1, 1, tzinfo=UTC)
RUNS = 5
EXTRA_ARGUMENTS = {"rejections_by_reason": (MAX_REASONS,), "series": ("day", "Europe/Berlin")}
"""Arguments of a statement besides the filter."""

LOAD = """
CREATE FUNCTION pg_temp.dice(n int, s int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashint4(n * 8 + s) & 65535) % 100 $$;
SET session_replication_role = replica; -- The rows are valid: skip foreign key checks.

INSERT INTO engineers (id, name, home_region, skills, engineer_level)
SELECT md5('engineer' || n)::uuid, 'Engineer ' || n, 'Region ' || n % 20,
    ARRAY['Category ' || n % 12, 'Category ' || n % 7], 1 + n % 3
FROM generate_series(0, 399) AS n;

INSERT INTO equipment (id, name, model, category)
SELECT 'EQ-' || n, 'Scanner', 'Model ' || n % 60, 'Category ' || n % 12 FROM generate_series(0, 19999) AS n;

INSERT INTO service_tickets (id, ticket_number, equipment_id, customer_name, issue_category,
    issue_description, status, created_at, updated_at, resolved_at)
SELECT 'T-' || n, 'SR-' || n, 'EQ-' || n % 20000, 'Hospital ' || n % 5000, 'Category ' || n % 12,
    repeat('It does not cool. ', 1 + n % 8), 'closed', at, at, at + interval '2 days'
FROM generate_series(1, {tickets}) AS n,
    LATERAL (SELECT timestamptz '2024-01-01Z' + n * interval '1 minute' AS at) AS o;

-- One to five assignments, 2.5 on average; only the last one ends with success.
INSERT INTO engineer_assignments (ticket_id, engineer_id, equipment_id, assignment_sequence, assignment_tier,
    assignment_tier_name, assignment_reason, assignment_type, status, assigned_by, assigned_at, accepted_at,
    rejected_at, started_at, completed_at, rejection_reason, escalation_reason, cancellation_reason,
    completion_status, time_spent_hours, diagnosis, actions_taken, parts_used, origin, created_at, updated_at)
SELECT 'T-' || n, md5('engineer' || pg_temp.dice(n, s + 5) + 100 * (n % 4))::uuid, 'EQ-' || n % 20000, s, s,
    'Tier ' || s, 'Nearest engineer with the skill',
    CASE WHEN before BETWEEN 0 AND 54 THEN CASE before % 5 WHEN 0 THEN 'auto' ELSE 'escalation' END
        WHEN before BETWEEN 70 AND 84 THEN 'reassignment' ELSE 'manual' END,
    status, 'dispatcher@example', at, CASE WHEN status <> 'rejected' THEN at + dice * interval '1 minute' END,
    CASE WHEN status = 'rejected' THEN at + interval '1 hour' END, at + interval '2 hours',
    CASE WHEN status <> 'rejected' THEN at + interval '4 hours' + dice * interval '1 second' END,
    CASE WHEN status = 'rejected' THEN 'Reason ' || n % 30 END,
    CASE WHEN status = 'escalated' THEN 'It needs a part that only the maker has' END,
    CASE WHEN status = 'cancelled' THEN 'A colleague is nearer' END,
    CASE WHEN status = 'escalated' THEN 'escalated' WHEN s = assignments THEN 'success'
        WHEN status = 'completed' THEN 'parts_required' END,
    CASE WHEN status IN ('completed', 'escalated') THEN (100 + n * 7 % 700) / 100.0 END,
    'A cold head that is worn', 'Replaced it, leak-tested, recorded helium level and pressure',
    CASE WHEN n % 3 = 0 AND status = 'completed'
        THEN '[{{"cost": "18450.00", "quantity": 1, "part_name": "Cold head", "part_number": "AU-CH-4100"}}]'
        ELSE '[]' END::jsonb,
    CASE WHEN n < {tickets} / 5 THEN 'legacy' ELSE 'live' END, at, at
FROM generate_series(1, {tickets}) AS n,
    LATERAL (SELECT (ARRAY[1, 1, 1, 2, 2, 3, 3, 3, 4, 5])[1 + pg_temp.dice(n, 0) % 10] AS assignments) AS o,
    LATERAL generate_series(1, assignments) AS s,
    LATERAL (SELECT pg_temp.dice(n, s) AS dice,
        CASE WHEN s > 1 THEN pg_temp.dice(n, s - 1) ELSE -1 END AS before,
        timestamptz '2024-01-01Z' + n * interval '1 minute' + (s - 1) * interval '5 hours' AS at) AS d,
    LATERAL (SELECT CASE WHEN s = assignments THEN 'completed' WHEN dice < 55 THEN 'escalated'
        WHEN dice < 70 THEN 'rejected' WHEN dice < 85 THEN 'cancelled' ELSE 'completed' END AS status) AS e;

RESET session_replication_role;
"""


async def load(conn: Connection, tickets: int) -> None:
    started = time.monotonic()
    await conn.execute(LOAD.format(tickets=tickets))
    await conn.execute("VACUUM ANALYZE")
    rows = await conn.fetchval("SELECT count(*) FROM engineer_assignments")
    log(f"{tickets} tickets, {rows} assignments: {time.monotonic() - started:.0f} s")


def filters_by_name(tickets: int, days: int) -> dict[str, ReportFilter]:
    """Filters over `days` that end a week before the last ticket."""
    until = START + timedelta(minutes=tickets) - timedelta(days=7)
    period = Period.between(until - timedelta(days=days), until)
    engineer = UUID(md5(b"engineer142").hexdigest())  # noqa: S324 - a name, not a secret
    return {
        "all": ReportFilter(period),
        "tier": ReportFilter(period, tier=2),
        "engineer": ReportFilter(period, engineer_id=engineer),
        "customer": ReportFilter(period, customer="Hospital 77"),
        "model": ReportFilter(period, equipment_model="Model 7"),
    }


async def measure(conn: Connection, tickets: int, *, plans: bool) -> None:
    """Print a line per statement: the median of several runs, in milliseconds."""
    filters = filters_by_name(tickets, days=30)
    await conn.execute("SET plan_cache_mode = force_custom_plan")  # as plan_for_values does
    print("milliseconds".ljust(26) + "".join(name.rjust(10) for name in filters))
    for query in sql.LOADED:
        file, _, name = query.name.partition(".")
        if file == "statistics" and query.params:
            arguments = [(*of.as_parameters, *EXTRA_ARGUMENTS.get(name, ())) for of in filters.values()]
            durations = [await median_ms(conn, query.text, of) for of in arguments]
            print(name.ljust(26) + "".join(f"{ms:10.0f}" for ms in durations), flush=True)
            if plans:
                explain = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {query.text}"
                print(
                    *(line for (line,) in await conn.fetch(explain, *arguments[0])), "", sep="\n", flush=True
                )


async def median_ms(conn: Connection, text: str, arguments: tuple[object, ...]) -> float:
    durations = []
    for _ in range(RUNS):
        started = time.perf_counter()
        await conn.fetch(text, *arguments)
        durations.append(1000 * (time.perf_counter() - started))
    return statistics.median(durations)


async def run(url: str, tickets: int, *, plans: bool) -> None:
    async with connect(url) as conn:
        if not await conn.fetchval("SELECT to_regclass('engineer_assignments') IS NOT NULL"):
            await migrate_whole(url)
            await load(conn, tickets)
    async with open_database(url, pool_size=1) as db, db.connection() as conn:
        await measure(conn, tickets, plans=plans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--plans", action="store_true", help="print each plan, too")
    parser.add_argument("--home", type=Path, help="keep the database in this folder, and reuse it")
    options = parser.parse_args()
    if options.home:
        options.home.mkdir(mode=0o755, exist_ok=True)  # as root, the server runs as another user
    with (
        nullcontext(options.home) if options.home else new_home() as home,
        EmbeddedPostgres(home, settings=SERVER) as url,
    ):
        asyncio.run(run(url, options.tickets, plans=options.plans))


if __name__ == "__main__":
    main()
