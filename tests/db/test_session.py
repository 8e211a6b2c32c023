"""A connection is reused only if its session state is unchanged."""

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

SESSION_STATE = """
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
IS_SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'"
NAMED = "/* a.name */ SELECT pg_backend_pid()"


@pytest.fixture
async def db(shared_url):
    async with open_database(shared_url, pool_size=1) as db:
        yield db


async def pid_of(db):
    async with db.connection() as conn:
        return conn.get_server_pid()


class Statements(list):
    async def names(self):
        await asyncio.sleep(0)  # query loggers run in the next iteration of the event loop
        return [sql.statement_name(text) if "RESET ALL" not in text else "reset" for text in self]


async def record_statements(db):
    """Record the statements of the only connection of `db`."""
    statements = Statements()
    async with db.connection() as conn:
        conn.add_query_logger(lambda record: statements.append(record.query))
    return statements


def execute(text):
    return lambda conn: conn.execute(text)


async def begin(conn):
    await conn.transaction().start()


async def prepare(conn):
    await (await conn.prepare("SET statement_timeout = 7")).fetch()


async def listen(conn):
    await conn.add_listener("channel", lambda *_: None)


async def fetch_value(conn):
    await conn.fetchval("SELECT set_config('work_mem', '7MB', false)")


async def execute_many(conn):
    await conn.executemany("SELECT set_config('work_mem', $1, false)", [("7MB",)])


async def open_cursor(conn):
    async with conn.transaction():
        await conn.cursor("SELECT pg_advisory_lock(7)")


@pytest.mark.filterwarnings("ignore::asyncpg.InterfaceWarning")
@pytest.mark.parametrize(
    "change_session",
    [
        execute("SET work_mem = '7MB'"),
        execute("CREATE TEMP TABLE left_behind ()"),
        execute("LISTEN channel"),
        execute("SELECT pg_advisory_lock(7)"),
        execute("PREPARE left_behind AS SELECT 7"),
        execute("BEGIN; DECLARE left_behind CURSOR WITH HOLD FOR SELECT 7; COMMIT"),
        execute("SET ROLE pg_monitor"),
        execute("BEGIN"),
        begin,
        prepare,
        listen,
        fetch_value,
        execute_many,
        open_cursor,
    ],
)
async def test_changed_session_state_is_not_visible_to_the_next_user(db, change_session):
    before = await pid_of(db)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # reports the open transaction
    try:
        async with db.connection() as conn:
            await change_session(conn)
    finally:
        loop.set_exception_handler(None)
    async with db.connection() as conn:
        assert conn.get_server_pid() != before or change_session is begin
        state = dict(await conn.fetchrow(SESSION_STATE))
    assert state.pop("same_user")
    assert not any(state.values()), state


async def test_a_connection_that_ran_only_named_statements_is_not_reset(db):
    async with db.connection() as conn:
        await server.about(conn)
    before, statements = await pid_of(db), await record_statements(db)
    async with db.connection() as conn:
        await server.about(conn)
    async with db.transaction() as tx:
        await server.about(tx)
    with pytest.raises(KeyError):
        async with db.transaction() as tx:
            raise KeyError
    assert await statements.names() == [
        "server.about_server", "begin", "server.about_server", "commit", "begin", "rollback",
    ]  # fmt: skip
    assert await pid_of(db) == before


async def test_the_session_is_reset_after_a_failed_statement(db):
    before, statements = await pid_of(db), await record_statements(db)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with db.connection() as conn:
            await conn.fetch("/* a.name */ SELECT 1 / 0")
    assert (await pid_of(db), await statements.names()) == (before, ["a.name", "reset"])
    async with db.connection() as conn:
        await conn.fetch(NAMED)
    assert await statements.names() == ["a.name", "reset", "a.name"]


async def test_the_session_is_reset_after_a_cancelled_statement(db, shared_url):
    before, statements = await pid_of(db), await record_statements(db)

    async def sleep():
        async with db.connection() as conn:
            await conn.fetch("/* a.name */ SELECT pg_sleep(60)")

    sleeping = asyncio.create_task(sleep())
    async with connect(shared_url) as other:
        while not await other.fetchval(IS_SLEEPING, before):
            pass
    sleeping.cancel()
    with suppress(asyncio.CancelledError):
        await sleeping
    async with db.connection() as conn:
        assert (await conn.fetchrow(NAMED))[0] == before
    assert await statements.names() == ["a.name", "reset", "a.name"]


def test_every_driver_method_is_classified():
    without_statements = {"close", "reload_schema_state", "remove_listener", "reset"}
    instrumented = {"execute", "fetch", "fetchrow"}
    calls_instrumented = {"add_listener"}
    methods = {
        name
        for name, method in inspect.getmembers(asyncpg.Connection, inspect.iscoroutinefunction)
        if not name.startswith("_")
    } | {"cursor"}
    assert methods == without_statements | instrumented | calls_instrumented | set(UNTRACKED_METHODS)
    assert all(name in vars(Session) for name in instrumented | set(UNTRACKED_METHODS))


FUNCTIONS = {
    "app_now", "assignment_migration_report", "avg", "bool_or", "cardinality", "clock_timestamp",
    "coalesce", "count", "current_database", "current_setting", "date_trunc", "decode", "drop_events",
    "extract", "generate_series", "greatest", "has_table_privilege", "jsonb_agg", "jsonb_array_elements",
    "jsonb_build_array", "jsonb_build_object", "jsonb_object_keys", "jsonb_path_query_array",
    "jsonb_populate_record", "jsonb_populate_recordset", "lower", "lpad", "make_interval", "max", "nextval",
    "now", "nullif", "obj_description", "percentile_disc", "pg_current_snapshot",
    "pg_current_wal_insert_lsn", "pg_current_xact_id", "pg_get_expr", "pg_has_role",
    "pg_is_in_recovery", "pg_last_wal_replay_lsn", "pg_snapshot_xmin", "regexp_replace", "replace",
    "round", "row_number", "row_security_active", "sum", "tend_partitions", "to_jsonb", "to_regclass",
    "to_regprocedure", "unnest",
}  # fmt: skip
"""Functions that do not change the session state."""
KEYWORDS = {
    "all", "and", "any", "array", "as", "by", "conflict", "exists",
    "filter", "from", "group", "in", "lateral",
    "materialized", "or", "over", "select", "then", "using", "values", "where",
}  # fmt: skip
"""Keywords that precede a parenthesis."""


@pytest.mark.parametrize(
    "text",
    [*(query.text for query in sql.LOADED), migrate._HAS_HISTORY, migrate._HISTORY],
    ids=sql.statement_name,
)
def test_named_statements_do_not_change_the_session(text):
    code = re.sub(r"--[^\n]*|/\*.*?\*/|'[^']*'", " ", text, flags=re.DOTALL).lower()
    assert ";" not in code
    # Settings that are local to the transaction are allowed.
    code = re.sub(r"\bset_config\([^()]*,\s*true\)", " ", code)
    assert re.match(r"\s*(select|with|insert|update|delete|analyze)\b", code)
    assert not re.search(
        r"\binto\s+(?!idempotency_keys|ticket_|service_tickets|engineer_assignments|hourly_rates)", code
    )
    called = set(re.findall(r"(?<!into )(?<!as )\b([a-z_]\w*)\s*\(", code))
    assert called <= FUNCTIONS | KEYWORDS


async def test_a_connection_lost_while_idle_is_not_reused(db, shared_url):
    async with db.connection() as conn:
        await conn.fetch(NAMED)
    before = await pid_of(db)
    async with connect(shared_url) as other:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", before)
    while getattr(db._cache._idle[0], "is_clean", False):  # noqa: ASYNC110 - the driver has no event
        await asyncio.sleep(0)
    async with db.connection() as conn:
        assert (await conn.fetchrow(NAMED))[0] != before


async def test_waiters_get_the_released_connection(db):
    tasks = []
    async with db.connection() as conn:
        await conn.fetch(NAMED)
        tasks += [asyncio.create_task(pid_of(db)) for _ in range(3)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [await pid_of(db)] * 3


async def test_finish_returns_all_connections_to_the_pool(shared_url):
    async with open_database(shared_url, pool_size=3) as db:
        async with db.connection(), db.connection(), db.connection():
            pass
        assert b'baton_pool_connections{state="used"} 0' in db.metrics.text()
        await db.finish()
        assert (db.pool.get_size(), db.pool.get_idle_size()) == (3, 3)
