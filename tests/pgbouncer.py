"""Runs PgBouncer in transaction mode in front of a test server."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from app.db.connections import TimeLimits, alter_role, connect, pooler_options, role_settings
from app.db.session import Session
from tests.databases import accepts_connections, free_port, new_home

COMMAND = shutil.which("pgbouncer", path=os.defpath + ":/usr/sbin")
ROLE = "pooled"
USE_FOR_ALL_TESTS = os.environ.get("TEST_POOLER") == "transaction"
"""Whether the pools of all tests connect through PgBouncer."""
_INI = """
[databases]
* = host={host} port={port} user={role}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 1000
# While the database is unavailable: fail before the timeouts of the product, and reconnect quickly.
query_wait_timeout = 3
server_login_retry = 1
"""


def skip_unless_installed() -> None:
    """In CI it must be installed."""
    if COMMAND is None and not os.environ.get("CI"):
        pytest.skip("PgBouncer is not installed (apt-get install pgbouncer)")


async def create_role(server: str, limits: TimeLimits = TimeLimits()) -> None:  # noqa: B008 - frozen
    """Create the role that the pooler uses, with the settings that the doctor requires."""
    async with connect(server) as conn:
        await conn.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER")
        for name, value in role_settings(limits.session_settings).items():
            await conn.execute(alter_role(ROLE, name, value))


@contextmanager
def pgbouncer(server: str, *, connections: int = 10) -> Iterator[str]:
    """Run a pooler for `server`; yields its URL without the name of a database."""
    assert COMMAND is not None, "PgBouncer is not installed"
    parameters = parse_qs(urlsplit(server).query)
    listen_port = free_port()
    with new_home() as home:
        settings = home / "pgbouncer.ini"
        settings.write_text(
            _INI.format(
                host=parameters["host"][0],
                port=parameters["port"][0],
                role=ROLE,
                listen_port=listen_port,
                connections=connections,
            )
        )
        # PgBouncer refuses to run as root, and only the server's user can reach its socket.
        owner = pwd.getpwuid(Path(parameters["host"][0]).stat().st_uid).pw_name
        run_as = ["-u", owner] if os.geteuid() == 0 else []
        with (home / "log").open("wb") as log:
            process = subprocess.Popen([COMMAND, *run_as, settings], stdout=log, stderr=log)
        try:
            while not accepts_connections(listen_port):
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.01)
            yield f"postgresql://{ROLE}@127.0.0.1:{listen_port}/"
        finally:
            process.kill()
            process.wait()


def through(pooled: str, url: str) -> str:
    return pooled + urlsplit(url).path.removeprefix("/")


@contextmanager
def all_pools_through(pooled: str, server: str) -> Iterator[None]:
    """Let the pools of the product connect through the pooler, as with DATABASE_POOLER."""
    create_direct, query = asyncpg.create_pool, urlsplit(server).query

    def create_pool(url: str, **options: Any) -> Any:
        is_product = issubclass(options.get("connection_class", asyncpg.Connection), Session)
        if not is_product or urlsplit(url).query != query:
            return create_direct(url, **options)
        return create_direct(through(pooled, url), **options | pooler_options(options["server_settings"]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "create_pool", create_pool)
        yield
