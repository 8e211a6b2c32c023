"""The migrator, with small made-up migrations."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from app.db import migrate
from app.db.migration_files import MigrationError, read
from app.db.migrator import LOCK, LockPolicy

QUICK = LockPolicy(
    migrator_timeout_s=30, poll_interval_s=0.01, lock_timeout_s=0.05, max_attempts=3, retry_delay_s=0.01
)
PERSISTENT = LockPolicy(
    lock_timeout_s=0.05, concurrently_lock_timeout_s=0.05, max_attempts=500, retry_delay_s=0.01
)
UNIQUE_NAME = (
    "-- migrate: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS unique_name ON boats (name);"
)
NOTE = "-- migrate: no-transaction\nCOMMENT ON TABLE boats IS 'They float.';"


@pytest.fixture
async def connect(empty_database):
    """Opens a connection on each call."""
    async with AsyncExitStack() as stack:

        async def connect(**settings):
            conn = await asyncpg.connect(empty_database, server_settings=settings)
            stack.push_async_callback(conn.close)
            return conn

        yield connect


@pytest.fixture
async def conn(connect):
    return await connect()


@pytest.fixture
async def other(connect):
    return await connect()


@pytest.fixture
def folder(tmp_path):
    """Three migrations that depend on each other."""
    write(tmp_path, "0001_boats", "CREATE TABLE boats (id int);", "DROP TABLE boats;")
    write(tmp_path, "0002_names", "ALTER TABLE boats ADD name text;", "ALTER TABLE boats DROP COLUMN name;")
    write(tmp_path, "0003_first_boat", "INSERT INTO boats VALUES (1, 'Ada');", "DELETE FROM boats;")
    return tmp_path


def write(folder, label, up, down=None):
    (folder / f"{label}.up.sql").write_text(up, encoding="utf-8")
    if down is not None:
        (folder / f"{label}.down.sql").write_text(down, encoding="utf-8")


async def history(conn):
    rows = await conn.fetch("SELECT name FROM baton_migrations WHERE applied_at IS NOT NULL ORDER BY version")
    return [name for (name,) in rows]


async def tables(conn):
    rows = await conn.fetch("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    return {name for (name,) in rows}


async def invalid_indexes(conn):
    rows = await conn.fetch("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    return [name for (name,) in rows]


async def wait_until(conn, query, *args):
    """Poll until the query returns true."""
    async with asyncio.timeout(30):
        while True:
            if await conn.fetchval(query, *args):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def blocked_until_first_retry(conn, statement):
    """Hold the locks of the statement; yields the `emit` that releases them on the first retry."""
    retried = asyncio.Event()
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute(statement)

    async def release():
        await retried.wait()
        await transaction.rollback()

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(release())
        yield lambda line: retried.set() if "attempt" in line else None


async def test_up_applies_each_file_once_in_order(conn, folder):
    lines = []
    assert await migrate.up(conn, folder, emit=lines.append) == [
        "0001_boats",
        "0002_names",
        "0003_first_boat",
    ]
    assert lines == ["0001_boats.up.sql: done", "0002_names.up.sql: done", "0003_first_boat.up.sql: done"]
    assert await migrate.up(conn, folder) == []
    assert [tuple(row) for row in await conn.fetch("SELECT id, name FROM boats")] == [(1, "Ada")]
    assert await history(conn) == ["boats", "names", "first_boat"]


async def test_up_stops_at_its_target(conn, folder):
    assert await migrate.up(conn, folder, to=2) == ["0001_boats", "0002_names"]
    assert await migrate.up(conn, folder, to=1) == []
    assert await migrate.up(conn, folder) == ["0003_first_boat"]


async def test_an_unknown_target_is_rejected(conn, folder):
    for direction in (migrate.up, migrate.down):
        with pytest.raises(MigrationError, match=r"no migration 0009; the last one is 0003_first_boat\."):
            await direction(conn, folder, to=9)


async def test_status_lists_applied_and_pending_and_writes_nothing(conn, folder):
    assert (await migrate.status(conn, folder)).applied == []
    assert await tables(conn) == set()
    await migrate.up(conn, folder, to=2)
    status = await migrate.status(conn, folder)
    assert [m.version for m in status.applied] == [1, 2]
    assert [m.label for m in status.pending] == ["0003_first_boat"]
    assert "0003_first_boat" in status.problem
    await migrate.up(conn, folder)
    assert await migrate.problem(conn, read(folder)) is None


async def test_a_file_on_request_runs_only_as_target_and_does_not_block_later_files(conn, folder):
    (folder / "0004_sink.up.sql").write_text("-- migrate: on request\nDROP TABLE boats;")
    (folder / "0004_sink.down.sql").write_text("CREATE TABLE boats (id int);")
    (folder / "0005_cars.up.sql").write_text("CREATE TABLE cars (id int);")
    assert (await migrate.up(conn, folder))[-1] == "0005_cars"
    status = await migrate.status(conn, folder)
    assert ([m.version for m in status.on_request], status.problem) == ([4], None)
    assert await migrate.up(conn, folder, to=4) == ["0004_sink"]
    assert (await migrate.status(conn, folder)).on_request == []


async def test_an_unknown_directive_is_rejected(conn, folder):
    (folder / "0004_soon.up.sql").write_text("-- migrate: on request, soon\nSELECT 1;")
    with pytest.raises(MigrationError, match="line 1: unknown directive soon"):
        await migrate.up(conn, folder)


async def test_progress_messages_are_echoed(conn, folder):
    (folder / "0004_progress.up.sql").write_text(
        "DO $$ BEGIN RAISE INFO 'half way'; RAISE NOTICE 'x'; END $$;"
    )
    lines = []
    await migrate.up(conn, folder, emit=lines.append)
    assert lines[-2:] == ["half way", "0004_progress.up.sql: done"]


async def test_down_undoes_one_or_down_to_its_target_newest_first(conn, folder):
    await migrate.up(conn, folder)
    assert await migrate.down(conn, folder) == ["0003_first_boat"]
    assert await conn.fetchval("SELECT count(*) FROM boats") == 0
    assert await migrate.down(conn, folder, to=0) == ["0002_names", "0001_boats"]
    assert await history(conn) == []
    assert "boats" not in await tables(conn)
    assert await migrate.down(conn, folder) == []
    assert len(await migrate.up(conn, folder)) == 3


async def test_down_undoes_nothing_if_a_down_file_is_missing(conn, folder):
    (folder / "0002_names.down.sql").unlink()
    await migrate.up(conn, folder)
    with pytest.raises(MigrationError, match="0002_names: there is no down file"):
        await migrate.down(conn, folder, to=0)
    assert len(await history(conn)) == 3


async def test_session_settings_are_restored(connect, folder):
    conn = await connect(lock_timeout="7s", statement_timeout="8s")
    write(folder, "0004_note", NOTE)
    await migrate.up(conn, folder)
    assert await conn.fetchval("SHOW lock_timeout") == "7s"
    assert await conn.fetchval("SHOW statement_timeout") == "8s"
    assert await conn.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_a_dry_run_executes_dependent_files_and_changes_nothing(conn, folder):
    lines = []
    tried = await migrate.up(conn, folder, dry_run=True, emit=lines.append)
    assert tried == ["0001_boats", "0002_names", "0003_first_boat"]
    assert lines[-1] == "0003_first_boat.up.sql: tried and rolled back"
    assert await tables(conn) == set()
    await migrate.up(conn, folder)
    assert len(await migrate.down(conn, folder, to=0, dry_run=True)) == 3
    assert len(await history(conn)) == 3
    assert await conn.fetchval("SELECT name FROM boats") == "Ada"


async def test_a_dry_run_reports_a_failure_and_changes_nothing(conn, folder):
    lines = []
    write(folder, "0004_bad", "INSERT INTO boats VALUES (2, 'Bea');\nSELECT wrong;")
    write(folder, "0005_later", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"0004_bad\.up\.sql, line 2"):
        await migrate.up(conn, folder, dry_run=True, emit=lines.append)
    assert lines[-1] == "0005_later.up.sql: not tried, because 0004_bad.up.sql failed"
    assert await tables(conn) == set()


async def test_a_dry_run_stops_at_a_file_without_a_transaction(conn, folder):
    lines = []
    write(folder, "0002_names", "-- migrate: no-transaction\nALTER TABLE boats ADD name text;")
    not_tried = [
        f"{name}.up.sql: not tried, because 0002_names.up.sql runs outside a transaction"
        for name in ("0002_names", "0003_first_boat")
    ]
    assert await migrate.up(conn, folder, dry_run=True, emit=lines.append) == ["0001_boats"]
    assert lines == ["0001_boats.up.sql: tried and rolled back", *not_tried]
    assert await tables(conn) == set()
    await migrate.up(conn, folder, to=1)
    lines.clear()
    assert await migrate.up(conn, folder, dry_run=True, emit=lines.append) == []
    assert lines == not_tried


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("4_short.up.sql", "the name must be"),
        ("0000_zero.up.sql", "the name must be"),
        ("0004_no_direction.sql", "the name must be"),
        ("0004_only.down.sql", "its up file is missing"),
        ("0003_twin.up.sql", "0003_first_boat and 0003_twin have the same number"),
    ],
)
def test_an_invalid_file_name_is_rejected(folder, name, sentence):
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=sentence):
        read(folder)


def test_a_folder_without_migrations_is_rejected(tmp_path):
    with pytest.raises(MigrationError, match="there is no migration in this folder"):
        read(tmp_path / "elsewhere")


def test_a_file_that_is_not_utf_8_is_rejected(folder):
    (folder / "0004_latin.up.sql").write_bytes("-- Müller".encode("latin-1"))
    with pytest.raises(MigrationError, match=r"0004_latin\.up\.sql: the file is not UTF-8"):
        read(folder)


@pytest.mark.parametrize(
    "sql",
    [
        "\n\nBEGIN;\nSELECT 1;\nCOMMIT;",
        "SELECT 1;\n\nCommit",
        "SELECT 'a;b';\n\nstart transaction isolation level serializable;",
        "/* why */\n-- why\nROLLBACK TO SAVEPOINT a;",
        "DO $$ BEGIN NULL; END $$;\n\nEND;",
        "-- migrate: no-transaction\n\nbegin; SELECT 1; end;",
    ],
)
def test_transaction_control_in_a_file_is_rejected_with_its_line(folder, sql):
    write(folder, "0004_own", sql)
    with pytest.raises(MigrationError, match=r"0004_own\.up\.sql, line 3: leave \w+.* to the migrator\."):
        read(folder)


async def test_begin_and_end_inside_functions_and_literals_are_allowed(conn, folder):
    write(
        folder,
        "0004_functions",
        """-- It's no transaction;
        -- COMMIT;
        /* ; COMMIT; */
        DO $$ BEGIN PERFORM 1; END; $$;
        CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $body$
            BEGIN RETURN CASE WHEN true THEN 1 END; END; $body$;
        CREATE FUNCTION two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 2 END; END;
        COMMENT ON TABLE boats IS 'it''s;
            COMMIT;';
        COMMENT ON FUNCTION one() IS E'it\\'s; COMMIT;';
        CREATE TABLE "don't; COMMIT" (commit int, "end" int);""",
    )
    await migrate.up(conn, folder)
    assert await conn.fetchval("SELECT one() + two()") == 3


async def test_a_file_edited_after_it_was_applied_is_rejected(conn, folder):
    await migrate.up(conn, folder, to=2)
    write(folder, "0001_boats", "CREATE TABLE boats (id bigint);")
    for direction in (migrate.up, migrate.down):
        with pytest.raises(
            MigrationError,
            match=r"0001_boats\.up\.sql: the file was edited after it was applied\. If an unreleased version "
            r"made the database, drop and create it, and run \S+ -m app migrate up",
        ):
            await direction(conn, folder)
    assert len(await history(conn)) == 2


async def test_different_line_endings_are_not_an_edit(conn, folder):
    write(folder, "0004_note", "COMMENT ON TABLE boats\n IS 'They float.';\n")
    await migrate.up(conn, folder)
    (folder / "0004_note.up.sql").write_bytes(b"COMMENT ON TABLE boats\r\n IS 'They float.';\r\n")
    assert await migrate.up(conn, folder) == []


async def test_a_database_of_a_newer_release_is_rejected(conn, folder):
    await migrate.up(conn, folder)
    for file in folder.glob("0003*"):
        file.unlink()
    for direction in (migrate.up, migrate.down):
        with pytest.raises(
            MigrationError, match="has migration 0003_first_boat, which this release does not know"
        ):
            await direction(conn, folder)


async def test_a_pending_file_before_an_applied_one_is_rejected(conn, folder):
    await migrate.up(conn, folder)
    write(folder, "0005_late", "SELECT 1;")
    await migrate.up(conn, folder)
    write(folder, "0004_early", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"0004_early\.up\.sql: it comes before 0005_late"):
        await migrate.up(conn, folder)


async def test_a_failed_file_is_rolled_back_and_its_line_reported(conn, folder):
    write(folder, "0004_bad", "INSERT INTO boats VALUES (2, 'Zoë 🚢');\n\nSELECT *\nFROM ports;\nSELECT 1;")
    with pytest.raises(MigrationError) as error:
        await migrate.up(conn, folder)
    assert str(error.value) == '0004_bad.up.sql, line 4: relation "ports" does not exist.'
    assert await history(conn) == ["boats", "names", "first_boat"]
    assert await conn.fetchval("SELECT count(*) FROM boats") == 1
    write(folder, "0004_bad", "INSERT INTO boats VALUES (2, 'Zoë 🚢');")
    assert await migrate.up(conn, folder) == ["0004_bad"]


async def test_a_failure_without_a_position_reports_file_and_detail(conn, folder):
    write(folder, "0004_twins", "INSERT INTO boats VALUES (1);\nCREATE UNIQUE INDEX one_id ON boats (id);")
    with pytest.raises(
        MigrationError, match=r"^0004_twins\.up\.sql: could not .* DETAIL: Key \(id\)=\(1\) is dup"
    ):
        await migrate.up(conn, folder)


async def test_the_hint_to_drop_dependent_objects_is_omitted(conn, folder):
    await migrate.up(conn, folder)
    await conn.execute("CREATE VIEW names AS SELECT name FROM boats")
    write(folder, "0004_sink", "DROP TABLE boats;")
    with pytest.raises(MigrationError) as error:
        await migrate.up(conn, folder)
    assert str(error.value) == (
        "0004_sink.up.sql: cannot drop table boats because other objects depend on it "
        "DETAIL: view names depends on table boats."
    )


async def test_a_file_and_its_history_row_commit_together(conn, folder):
    unrecordable = "ALTER TABLE baton_migrations ADD CHECK (version < 4);"
    write(folder, "0004_ports", f"CREATE TABLE ports (id int); {unrecordable}")
    with pytest.raises(MigrationError, match=r"0004_ports\.up\.sql: new row .* violates check constraint"):
        await migrate.up(conn, folder)
    assert "ports" not in await tables(conn)
    assert len(await history(conn)) == 3


async def test_a_deferred_constraint_fails_the_file(conn, folder):
    write(
        folder,
        "0004_late_check",
        "ALTER TABLE boats ADD UNIQUE (id) DEFERRABLE INITIALLY DEFERRED;\nINSERT INTO boats VALUES (1);",
    )
    with pytest.raises(MigrationError, match=r"0004_late_check\.up\.sql: duplicate key"):
        await migrate.up(conn, folder)
    assert len(await history(conn)) == 3


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_lost_connection_rolls_back_the_file_and_releases_the_lock(conn, other, folder, dry_run):
    await migrate.up(conn, folder)
    write(folder, "0004_gone", "DELETE FROM boats; SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(MigrationError, match=r"0004_gone\.up\.sql: the connection was lost"):
        await migrate.up(conn, folder, dry_run=dry_run)
    assert await other.fetchval("SELECT count(*) FROM boats") == 1
    (folder / "0004_gone.up.sql").unlink()
    assert await migrate.up(other, folder, lock_policy=QUICK) == []


async def test_a_failed_file_without_a_transaction_runs_again_from_the_top(conn, folder):
    text = (
        "-- migrate: no-transaction\nCREATE TABLE IF NOT EXISTS ports (id int);\n-- next\n\nSELECT wrong;\n"
    )
    write(folder, "0004_ports", text)
    with pytest.raises(
        MigrationError, match=r'^0004_ports\.up\.sql, line 5: column "wrong" does not exist\.$'
    ):
        await migrate.up(conn, folder)
    assert "ports" in await tables(conn)
    assert len(await history(conn)) == 3
    write(folder, "0004_ports", text.replace("wrong", "1"))
    assert await migrate.up(conn, folder) == ["0004_ports"]


CARS = "-- migrate: {}no-transaction\nCREATE TABLE IF NOT EXISTS cars (id int);\n-- next\nSELECT wrong;"


@pytest.mark.parametrize(
    ("directive", "problem"),
    [("", "half way up: run .venv/bin/python"), ("on request, ", None)],
)
async def test_a_file_that_failed_after_a_statement_is_half_way(conn, folder, directive, problem):
    write(folder, "0004_cars", CARS.format(directive), "DROP TABLE cars;")
    with pytest.raises(MigrationError, match='"wrong"'):
        await migrate.up(conn, folder, to=4)
    status = await migrate.status(conn, folder)
    assert [str(half_way)[:29] for half_way in status.half_way] == ["Migration 0004_cars is half w"]
    assert (status.pending, status.on_request) == ([], [])
    # A server works in the steps of a migration on request as well as before and after it.
    assert problem in status.problem if problem else status.problem is None
    for run, to in ((migrate.up, 3), (migrate.down, 4)):
        with pytest.raises(MigrationError, match=r"half way up: .* migrate up .*, or .* migrate down"):
            await run(conn, folder, to=to)
    assert await migrate.down(conn, folder) == ["0004_cars"]
    assert "cars" not in await tables(conn)
    assert (await migrate.status(conn, folder)).half_way == []


async def test_a_file_that_failed_in_its_first_statement_leaves_no_mark(conn, folder):
    write(
        folder,
        "0004_cars",
        "-- migrate: no-transaction\nCREATE TABLE cars (id int); SELECT wrong;",
        "SELECT 1;",
    )
    with pytest.raises(MigrationError, match='"wrong"'):
        await migrate.up(conn, folder)
    status = await migrate.status(conn, folder)
    assert (status.half_way, [m.label for m in status.pending]) == ([], ["0004_cars"])


async def test_half_way_down_remains_so_until_a_run_ends(conn, folder):
    write(folder, "0004_cars", CARS.format("").replace("wrong", "1"), CARS.format(""))
    await migrate.up(conn, folder)
    with pytest.raises(MigrationError, match='"wrong"'):
        await migrate.down(conn, folder)
    write(folder, "0004_cars", CARS.format(""), CARS.format(""))
    with pytest.raises(MigrationError, match='"wrong"'):
        await migrate.up(conn, folder)
    assert "half way down" in (await migrate.status(conn, folder)).problem
    write(folder, "0004_cars", CARS.format("").replace("wrong", "1"), CARS.format(""))
    assert await migrate.up(conn, folder) == ["0004_cars"]
    assert (await migrate.status(conn, folder)).problem is None


async def test_six_concurrent_migrators_apply_each_file_once(connect, folder):
    sessions = [await connect() for _ in range(6)]
    applied = await asyncio.gather(*(migrate.up(conn, folder, lock_policy=QUICK) for conn in sessions))
    assert sorted(map(len, applied)) == [0, 0, 0, 0, 0, 3]


async def test_a_migrator_times_out_while_another_one_runs(conn, other, folder):
    await other.execute("SELECT pg_advisory_lock($1)", LOCK)
    with pytest.raises(MigrationError, match="Another migrator is still at work"):
        await migrate.up(conn, folder, lock_policy=LockPolicy(migrator_timeout_s=0.02, poll_interval_s=0.01))
    assert await tables(conn) == set()


async def test_a_file_is_retried_until_a_lock_is_released(conn, other, folder):
    await migrate.up(conn, folder, to=1)
    async with blocked_until_first_retry(other, "LOCK TABLE boats") as emit:
        assert len(await migrate.up(conn, folder, lock_policy=PERSISTENT, emit=emit)) == 2


async def test_retries_end_if_a_lock_is_not_released(conn, other, folder):
    lines = []
    await migrate.up(conn, folder, to=1)
    async with other.transaction():
        await other.execute("LOCK TABLE boats")
        with pytest.raises(MigrationError, match=r"0002_names\.up\.sql: .*lock timeout, 3 times; pg_locks"):
            await migrate.up(conn, folder, lock_policy=QUICK, emit=lines.append)
    assert lines == [
        f"0002_names.up.sql: canceling statement due to lock timeout (attempt {n} of 3)" for n in (1, 2)
    ]
    assert await history(conn) == ["boats"]


async def test_the_word_concurrently_does_not_extend_the_timeout_in_a_transaction(conn, other, folder):
    write(folder, "0004_note", "SELECT 1 AS concurrently; COMMENT ON TABLE boats IS 'They float.';")
    await migrate.up(conn, folder, to=3)
    async with asyncio.timeout(30), other.transaction():
        await other.execute("LOCK TABLE boats")
        with pytest.raises(MigrationError, match="lock timeout, 3 times"):
            await migrate.up(conn, folder, lock_policy=QUICK)


@pytest.mark.parametrize("first_line", ["-- in a transaction", "-- migrate: no-transaction"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_deadlock_is_retried(conn, folder, first_line, dry_run):
    # nextval() is not rolled back, so the file can count its attempts.
    await conn.execute("CREATE SEQUENCE attempts")
    fail_twice = "DO $$ BEGIN IF nextval('attempts') < 3 THEN RAISE deadlock_detected; END IF; END $$;"
    write(folder, "0004_deadlock", f"{first_line}\n{fail_twice}")
    await migrate.up(conn, folder, lock_policy=QUICK, dry_run=dry_run)
    skipped = dry_run and "no-transaction" in first_line
    assert await conn.fetchval("SELECT last_value FROM attempts") == (1 if skipped else 3)


async def test_an_index_is_built_concurrently_while_another_migrator_waits(connect, folder):
    first, second, writer, watcher = [await connect() for _ in range(4)]
    await migrate.up(first, folder)
    write(folder, "0004_unique_name", UNIQUE_NAME)
    async with asyncio.TaskGroup() as tasks, writer.transaction():
        await writer.execute("UPDATE boats SET name = 'Eve'")
        build = tasks.create_task(migrate.up(first, folder, lock_policy=QUICK))
        await wait_until(watcher, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index)")
        wait = tasks.create_task(migrate.up(second, folder, lock_policy=QUICK))
        is_polling = "SELECT query LIKE '%advisory_lock%' FROM pg_stat_activity WHERE pid = $1"
        await wait_until(watcher, is_polling, second.get_server_pid())
    assert (build.result(), wait.result()) == (["0004_unique_name"], [])
    assert await invalid_indexes(first) == []


async def test_an_invalid_index_is_not_accepted_as_built(conn, folder):
    await migrate.up(conn, folder)
    await conn.execute("INSERT INTO boats VALUES (2, 'Ada')")
    write(folder, "0004_unique_name", UNIQUE_NAME)
    for _ in range(2):
        with pytest.raises(
            MigrationError, match=r"^0004_unique_name\.up\.sql: could not create unique index"
        ):
            await migrate.up(conn, folder)
        assert await invalid_indexes(conn) == ["unique_name"]
        assert len(await history(conn)) == 3
    await conn.execute("DELETE FROM boats WHERE id = 2")
    assert await migrate.up(conn, folder) == ["0004_unique_name"]
    assert await invalid_indexes(conn) == []
    assert "unique_name" in await tables(conn)


async def test_an_index_build_that_timed_out_on_a_lock_is_repeated(conn, other, folder):
    await migrate.up(conn, folder)
    write(folder, "0004_unique_name", UNIQUE_NAME)
    async with blocked_until_first_retry(other, "UPDATE boats SET name = 'Eve'") as emit:
        assert await migrate.up(conn, folder, lock_policy=PERSISTENT, emit=emit) == ["0004_unique_name"]
    assert await invalid_indexes(conn) == []
    assert "unique_name" in await tables(conn)


async def test_an_unrelated_invalid_index_is_reported_and_kept(conn, folder):
    await migrate.up(conn, folder)
    await conn.execute("INSERT INTO boats VALUES (2, 'Ada')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute('CREATE UNIQUE INDEX CONCURRENTLY "By Hand" ON boats (name)')
    write(folder, "0004_note", NOTE)
    with pytest.raises(
        MigrationError, match=r'0004_note\.up\.sql: the index "By Hand" is not valid; drop it'
    ):
        await migrate.up(conn, folder)
    assert await invalid_indexes(conn) == ['"By Hand"']
    assert len(await history(conn)) == 3
