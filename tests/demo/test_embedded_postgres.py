"""The embedded PostgreSQL, with real servers, killed processes and a second user."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from app.demo.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, find_binaries
from tests import databases

ROOT = Path(__file__).parents[2]
RUNNER = """
import sys
from pathlib import Path
from app.demo.embedded_postgres import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]))
with server as url:
    print("runs" if server._supervisor else "attached", url, sep="|", flush=True)
    sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")


def assert_all_stopped(folder):
    assert not list(folder.rglob("postmaster.pid")), "a server still runs or was not stopped cleanly"


@pytest.fixture
def folder():
    # The server's user cannot enter the tmp_path of root.
    with databases.new_home(in_memory=True) as folder:
        yield folder
        assert_all_stopped(folder)


@pytest.fixture
def new_home(folder):
    return folder / "home"


@pytest.fixture(scope="module")
def shared_home():
    with databases.new_home(in_memory=True) as folder:
        yield folder / "home"


@pytest.fixture
def home(shared_home):
    """A home shared by tests, because initdb takes most of the time of a test."""
    with EmbeddedPostgres(shared_home):
        pass
    yield shared_home
    assert_all_stopped(shared_home)


@contextlib.contextmanager
def another_process(home, python=sys.executable, **options):
    """Start a process that runs the server of the home, or attaches to it, until its stdin closes."""
    command = [python, "-c", RUNNER, home]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, **options) as process:
        yield process


def outcome(process):
    """Return whether the process runs the server or is attached, and the URL."""
    return process.stdout.readline().strip().split("|")


def postmaster(home):
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def kill_server(home):
    """Kill the server and wait until the supervising shell has reaped it."""
    server = postmaster(home)
    os.kill(server, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        eventually(lambda: os.kill(server, 0))


async def ask(url, query):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def eventually(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_data_is_kept_after_a_stop(new_home):
    server = EmbeddedPostgres(new_home)
    url = server.start()
    await ask(url, "CREATE TABLE kept AS SELECT lower('ÄÉ') AS word")
    server.stop()
    with pytest.raises(OSError):  # noqa: PT011 - the subclass depends on the platform
        await ask(url, "SELECT 1")
    assert server.start() == url
    assert await ask(url, "SELECT word FROM kept") == "äé"
    server.stop()


async def test_settings_reach_the_server_unchanged(home):
    settings = {"application_name": "it's $HOME, 100 %", "fsync": "on"}
    with EmbeddedPostgres(home, durable=False, settings=settings) as url:
        assert await ask(url, "SHOW application_name") == "it's $HOME, 100 %"
        assert await ask(url, "SHOW fsync") == "on"
        assert await ask(url, "SHOW full_page_writes") == "off"


async def test_a_second_start_attaches_and_its_stop_keeps_the_server_running(home):
    with EmbeddedPostgres(home, durable=False) as url:
        with EmbeddedPostgres(home) as second_url:
            assert second_url == url
        assert await ask(url, "SELECT 1") == 1


async def test_four_concurrent_first_starts_share_one_server(new_home):
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(another_process(new_home)) for _ in range(4)]
        outcomes = [outcome(process) for process in processes]
        assert sorted(role for role, _ in outcomes) == ["attached"] * 3 + ["runs"]
        assert [await ask(url, "SELECT 1") for _, url in outcomes] == [1] * 4


async def test_the_server_stops_when_its_parent_is_killed(home):
    with another_process(home) as parent:
        _, url = outcome(parent)
        await ask(url, "CREATE TABLE kept AS SELECT 1 AS one")
        parent.kill()
    eventually(lambda: not (home / "data" / "postmaster.pid").exists())
    with EmbeddedPostgres(home, durable=False) as url:
        assert await ask(url, "SELECT one FROM kept") == 1


async def test_data_survives_a_kill_of_parent_and_server(home):
    with another_process(home) as parent:
        _, url = outcome(parent)
        await ask(url, "CREATE TABLE survivor AS SELECT 1 AS one")
        kill_server(home)
        parent.kill()
    with EmbeddedPostgres(home, durable=False) as url:
        assert await ask(url, "SELECT one FROM survivor") == 1


async def test_a_killed_server_is_started_again(home):
    server = EmbeddedPostgres(home, durable=False)
    server.start()
    kill_server(home)
    server._supervisor.wait()
    assert await ask(server.start(), "SELECT 1") == 1
    server.stop()


async def test_the_pid_file_of_a_killed_server_does_not_count_as_ready(home):
    with another_process(home) as parent:
        outcome(parent)
        kill_server(home)
        parent.kill()
    server = EmbeddedPostgres(home, durable=False)
    eventually(lambda: (lock := server._take_lock()) and not lock.close())
    with server._take_lock():
        start = asyncio.create_task(asyncio.to_thread(server.start))
        await asyncio.sleep(0.3)
        assert "ready" in (home / "data" / "postmaster.pid").read_text()
        assert not start.done()
    assert await ask(await start, "SELECT 1") == 1
    server.stop()


def test_the_pid_of_a_killed_server_may_have_been_reused(home):
    owner = (home / "data").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=owner) as other:
        (home / "run").mkdir()
        for file in (home / "data" / "postmaster.pid", home / "run" / ".s.PGSQL.5432.lock"):
            file.write_text(f"{other.pid}\n{home / 'data'}\n1\n5432\n{home / 'run'}\n\n\nready   \n")
        with EmbeddedPostgres(home, durable=False):
            assert postmaster(home) != other.pid


async def test_a_home_is_usable_after_initdb_was_killed(new_home):
    with another_process(new_home) as parent:
        eventually((new_home / "data.new" / "PG_VERSION").exists)
        parent.kill()
    with EmbeddedPostgres(new_home, durable=False) as url:
        assert await ask(url, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["long" * 30, "it's 100 %, here"])
async def test_any_path_can_be_a_home(folder, name):
    server = EmbeddedPostgres(folder / name, durable=False)
    with server as url:
        assert await ask(url, "SHOW unix_socket_directories") == str(server._sockets)
        assert server._sockets.exists()
    assert not server._sockets.exists()


def test_a_socket_folder_of_another_user_is_not_used(folder):
    server = EmbeddedPostgres(folder / "a,b", durable=False)
    server._sockets.symlink_to(folder)
    try:
        with pytest.raises(EmbeddedPostgresError, match="File exists"):
            server.start()
    finally:
        server._sockets.unlink()


def test_an_invalid_setting_is_reported_at_once(home):
    with pytest.raises(EmbeddedPostgresError, match=r'ended at once[^$]*"no_such_setting"'):
        EmbeddedPostgres(home, durable=False, settings={"no_such_setting": "1"}).start()


def test_data_of_another_version_is_reported(new_home):
    (new_home / "data").mkdir(parents=True)
    (new_home / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(
        EmbeddedPostgresError, match=r"is of PostgreSQL 9, but .* Set PG_BIN_DIR to version 9"
    ):
        EmbeddedPostgres(new_home).start()


def test_a_folder_without_binaries_is_reported(folder, new_home, monkeypatch):
    monkeypatch.setenv("PG_BIN_DIR", str(folder))
    with pytest.raises(EmbeddedPostgresError, match=r"PG_BIN_DIR is .* not in it"):
        EmbeddedPostgres(new_home).start()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("no program", "does not run on this machine"),
        ("#!/bin/sh\necho missing library >&2; exit 127", "failed with 127: missing library"),
        ("#!/bin/sh\necho hello", "does not print its version"),
    ],
)
def test_broken_binaries_are_reported(folder, new_home, monkeypatch, program, message):
    for name in ("initdb", "postgres"):
        (folder / name).write_text(program)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PG_BIN_DIR", str(folder))
    with pytest.raises(EmbeddedPostgresError, match=message):
        EmbeddedPostgres(new_home).start()


@as_root
def test_a_home_that_the_server_user_cannot_enter_is_reported(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match=f"chmod o.x {closed}$"):
        EmbeddedPostgres(closed / "home").start()


@as_root
async def test_binaries_that_the_server_user_cannot_read_are_copied(folder, new_home, monkeypatch):
    monkeypatch.delenv("PG_BIN_DIR", raising=False)
    package = find_binaries().parents[1]
    if package.name != "embedded_postgres":
        pytest.skip("embedded-postgres is not installed")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name)
    monkeypatch.setenv("PG_BIN_DIR", str(closed / "embedded_postgres" / "pginstall" / "bin"))
    with EmbeddedPostgres(new_home, durable=False) as url:
        assert await ask(url, "SELECT 1") == 1
    assert (new_home / "server").exists()


@as_root
async def test_an_unprivileged_user_can_run_a_server(folder, new_home, monkeypatch):
    nobody = {"user": pwd.getpwnam("nobody").pw_uid, "extra_groups": []}
    os.chown(folder, nobody["user"], -1)
    monkeypatch.setenv("PG_BIN_DIR", str(find_binaries()))
    monkeypatch.setenv("HOME", str(folder))
    with another_process(new_home, open_python(nobody), **nobody) as process:
        role, url = outcome(process)
        assert role == "runs"
        assert await ask(url, "SELECT 1") == 1
        assert (new_home / "data").stat().st_uid == nobody["user"]


def open_python(user):
    """Return a Python that the user can run: that of the tests may be in a private folder of root."""
    command = ["-c", "import app.demo.embedded_postgres"]
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([python, *command], cwd=ROOT, check=True, capture_output=True, **user)
            return python
    return pytest.skip("no Python that user nobody can run")
