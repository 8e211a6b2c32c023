"""A connection is lent again only with a session that is as it was."""

from __future__ import annotations

import asyncio
import inspect
import re
from contextlib import suppress

import asyncpg
import pytest

from app.db import migrate, sql
from app.db.connections import connect
from app.db.pool import open_database
from app.db.session import UNTRACKED_METHODS, Session
from app.queries import server

LEFT_BEHIND = """
SELECT (SELECT count(*) FROM pg_settings WHERE source = 'session') AS settings,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
    (SELECT count(*) FROM pg_listening_channels()) AS channels,
    (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS tables,
    (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) AS statements,
    (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors,
    (SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid() AND state = 'idle in transaction')
        AS transactions,
    current_user = session_user AS same_user
"""
SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'"
NAMED = "/* a.name */ SELECT pg_backend_pid()"


@pytest.fixture
async def db(shared_url):
    async with open_database(shared_url, pool_size=1) as db:
        yield db


async def pid_of(db):
    async with db.connection() as conn:
        return conn.get_server_pid()


class Said(list):
    async def names(self):
        await asyncio.sleep(0)  # loggers are told a moment later
        return [sql.statement_name(text) if "RESET ALL" not in text else "reset" for text in self]


async def said(db):
    """What the one connection of `db` says from now on."""
    texts = Said()
    async with db.connection() as conn:
        log = lambda record: texts.append(record.query)  # noqa: E731
        conn.add_query_logger(log)
    return texts


def saying(text):
    return lambda conn: conn.execute(text)


async def begin(conn):
    await conn.transaction().start()


async def prepare(conn):
    await (await conn.prepare("SET statement_timeout = 7")).fetch()


async def listen(conn):
    await conn.add_listener("channel", lambda *_: None)


async def as_a_value(conn):
    await conn.fetchval("SELECT set_config('work_mem', '7MB', false)")


async def many(conn):
    await conn.executemany("SELECT set_config('work_mem', $1, false)", [("7MB",)])


async def move(conn):
    async with conn.transaction():
        await conn.cursor("SELECT pg_advisory_lock(7)")


@pytest.mark.filterwarnings("ignore::asyncpg.InterfaceWarning")
@pytest.mark.parametrize(
    "leave_behind",
    [
        saying("SET work_mem = '7MB'"),
        saying("CREATE TEMP TABLE left_behind ()"),
        saying("LISTEN channel"),
        saying("SELECT pg_advisory_lock(7)"),
        saying("PREPARE left_behind AS SELECT 7"),
        saying("BEGIN; DECLARE left_behind CURSOR WITH HOLD FOR SELECT 7; COMMIT"),
        saying("SET ROLE pg_monitor"),
        saying("BEGIN"),
        begin,
        prepare,
        listen,
        as_a_value,
        many,
        move,
    ],
)
async def test_what_was_left_behind_meets_nobody(db, leave_behind):
    before = await pid_of(db)
    loop = asyncio.get_running_loop()
    told = []
    loop.set_exception_handler(lambda _, context: told.append(context))  # of the transaction that is open
    try:
        async with db.connection() as conn:
            await leave_behind(conn)
    finally:
        loop.set_exception_handler(None)
    async with db.connection() as conn:
        assert conn.get_server_pid() != before or leave_behind is begin
        found = dict(await conn.fetchrow(LEFT_BEHIND))
    assert found.pop("same_user")
    assert not any(found.values()), found


async def test_a_connection_that_said_only_named_statements_is_lent_as_it_is(db):
    async with db.connection() as conn:
        await server.about(conn)
    before, texts = await pid_of(db), await said(db)
    async with db.connection() as conn:
        await server.about(conn)
    async with db.transaction() as tx:
        await server.about(tx)
    with pytest.raises(KeyError):
        async with db.transaction() as tx:
            raise KeyError
    assert await texts.names() == [
        "server.about_server", "begin", "server.about_server", "commit", "begin", "rollback",
    ]  # fmt: skip
    assert await pid_of(db) == before


async def test_after_a_statement_that_failed_the_session_is_reset(db):
    before, texts = await pid_of(db), await said(db)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with db.connection() as conn:
            await conn.fetch("/* a.name */ SELECT 1 / 0")
    assert (await pid_of(db), await texts.names()) == (before, ["a.name", "reset"])
    async with db.connection() as conn:
        await conn.fetch(NAMED)
    assert await texts.names() == ["a.name", "reset", "a.name"]


async def test_after_a_statement_that_was_cancelled_the_session_is_reset(db, shared_url):
    before, texts = await pid_of(db), await said(db)

    async def sleep():
        async with db.connection() as conn:
            await conn.fetch("/* a.name */ SELECT pg_sleep(60)")

    sleeping = asyncio.create_task(sleep())
    async with connect(shared_url) as other:
        while not await other.fetchval(SLEEPS, before):
            pass
    sleeping.cancel()
    with suppress(asyncio.CancelledError):
        await sleeping
    async with db.connection() as conn:
        assert (await conn.fetchrow(NAMED))[0] == before
    assert await texts.names() == ["a.name", "reset", "a.name"]


def test_every_way_of_the_driver_to_speak_is_known():
    quiet = {"close", "reload_schema_state", "remove_listener", "reset"}
    heard = {"execute", "fetch", "fetchrow"}
    by_these = {"add_listener"}
    ways = {
        name
        for name, method in inspect.getmembers(asyncpg.Connection, inspect.iscoroutinefunction)
        if not name.startswith("_")
    } | {"cursor"}
    assert ways == quiet | heard | by_these | set(UNTRACKED_METHODS)
    assert all(name in vars(Session) for name in heard | set(UNTRACKED_METHODS))


CALLS = {
    "app_now",
    "assignment_migration_report",
    "avg",
    "cardinality",
    "clock_timestamp",
    "coalesce",
    "count",
    "current_setting",
    "date_trunc",
    "drop_events",
    "extract",
    "generate_series",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_build_object",
    "jsonb_path_query_array",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "lower",
    "make_interval",
    "max",
    "now",
    "percentile_disc",
    "pg_current_snapshot",
    "pg_current_wal_insert_lsn",
    "pg_current_xact_id",
    "pg_is_in_recovery",
    "pg_last_wal_replay_lsn",
    "pg_snapshot_xmin",
    "round",
    "row_number",
    "sum",
    "tend_partitions",
    "to_jsonb",
    "to_regclass",
    "to_regprocedure",
    "unnest",
}
"""Functions that change nothing of a session."""
WORDS = {
    "all",
    "and",
    "any",
    "array",
    "as",
    "by",
    "exists",
    "filter",
    "from",
    "group",
    "in",
    "lateral",
    "materialized",
    "or",
    "over",
    "select",
    "then",
    "using",
    "values",
    "where",
}
"""What stands before a bracket, too."""


@pytest.mark.parametrize(
    "text",
    [*(query.text for query in sql.LOADED), migrate._HAS_HISTORY, migrate._APPLIED],
    ids=sql.statement_name,
)
def test_a_statement_with_a_name_leaves_nothing_behind(text):
    code = re.sub(r"--[^\n]*|/\*.*?\*/|'[^']*'", " ", text, flags=re.DOTALL).lower()
    assert ";" not in code
    # What is set for the transaction alone is over with it.
    code = re.sub(r"\bset_config\([^()]*,\s*true\)", " ", code)
    assert re.match(r"\s*(select|with|insert|update|delete|analyze)\b", code)
    assert not re.search(
        r"\binto\s+(?!idempotency_keys|assignment_events|engineer_assignments|hourly_rates)", code
    )
    called = set(re.findall(r"(?<!into )(?<!as )\b([a-z_]\w*)\s*\(", code))
    assert called <= CALLS | WORDS


async def test_a_connection_that_was_lost_meanwhile_is_not_lent(db, shared_url):
    async with db.connection() as conn:
        await conn.fetch(NAMED)
    before = await pid_of(db)
    async with connect(shared_url) as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", before)
    while getattr(db._cache._idle[0], "is_clean", False):  # noqa: ASYNC110 - the driver says nothing
        await asyncio.sleep(0)
    async with db.connection() as conn:
        assert (await conn.fetchrow(NAMED))[0] != before


async def test_who_waits_gets_the_connection_that_is_given_back(db):
    waiting = []
    async with db.connection() as conn:
        await conn.fetch(NAMED)
        waiting += [asyncio.create_task(pid_of(db)) for _ in range(3)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [await pid_of(db)] * 3


async def test_at_its_end_a_pool_has_all_of_its_connections(shared_url):
    async with open_database(shared_url, pool_size=3) as db:
        async with db.connection(), db.connection(), db.connection():
            pass
        assert b'baton_pool_connections{state="used"} 0' in db.metrics.text()
        await db.finish()
        assert (db.pool.get_size(), db.pool.get_idle_size()) == (3, 3)
