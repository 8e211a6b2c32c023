"""Every command with every wrong setting: one sentence, exit code 1, and never a password."""

import asyncio
from dataclasses import fields, replace
from urllib.parse import urlsplit
from uuid import uuid4

import click
import pytest

from app import cli, config
from app.config import Settings
from app.config.database_url import is_database_url
from app.db import migrate, sql
from app.db.connections import connect
from app.db.errors import Unavailable
from app.db.grants import grant
from tests.databases import new_database
from tests.processes import assert_one_sentence

ARGUMENTS = {
    "token": ["--role", "admin"],
    "export billing": ["--from", "2026-01-01", "--to", "2026-02-01"],
    "migrate grant": ["somebody"],
    "serve": ["--port", "0"],
    "dev": ["--port", "0"],
}
"""What a command needs to run; the others need nothing."""
WITHOUT_DATABASE = {"token", "schema"}
SECRET_PARTS = ("hush", "60977")
BAD_URLS = [
    *(f"postgresql://app:60977{sign}hush@127.0.0.1:1/baton" for sign in "#/?[]@ "),
    "postgresql://app:60977?hush=hush@127.0.0.1:1/baton",
    "postgresql://app:hush@127.0.0.1:port/baton",
    "postgresql://app:hush@127.0.0.1:99999/baton",
    "postgresql://app:hush@127.0.0.1:-1/baton",
    "postgresql://app:hush@h1:1,:2/baton?port=a",
    "postgresql://app:hush@[::1/baton",
    "postgresql://app:hush@127.0.0.1:1/baton?hush",
    "mysql://app:hush@127.0.0.1/baton",
    "app:hush@127.0.0.1/baton",
]


def _commands(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def _is_wrong(name):
    """Whether the setting has a form that this value does not have."""
    try:
        config.load({name: "?!"})
    except config.SettingsError:
        return True
    return False


COMMANDS = list(_commands(cli.commands))
WRONG_SETTINGS = [name for field in fields(Settings) if _is_wrong(name := field.name.upper())]


@pytest.fixture(scope="module")
def run(cli):
    """Runs a command with the arguments that it needs."""

    def run(command, **settings):
        settings = {"DATABASE_WAIT_S": "0", "EVENTS_KEPT_MONTHS": "12"} | settings
        return cli(*command.split(), *ARGUMENTS.get(command, []), **settings)

    return run


def assert_secret_sentence(result, command, *words):
    """One sentence, and no part of the password. The doctor writes it to standard output."""
    if command == "doctor" and not result.err:
        lines = [line for line in result.out.splitlines() if "!!" in line]
        result = replace(result, err="".join(f"Error: {line}\n" for line in lines))
    assert_one_sentence(result, *words)
    for part in SECRET_PARTS:
        assert part not in result.out + result.err


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_malformed_url_is_one_sentence_without_its_password(run, command, url):
    assert_secret_sentence(run(command, DATABASE_URL=url), command, "DATABASE_URL", "postgresql://")


@pytest.mark.parametrize("name", ["DATABASE_DIRECT_URL", "DATABASE_REPLICA_URLS"])
@pytest.mark.parametrize("url", [url for url in BAD_URLS if " " not in url])
def test_a_malformed_url_of_another_setting_is_one_sentence(run, url, name):
    assert_secret_sentence(run("serve", **{name: url}), "serve", name, "postgresql://")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_value_of_any_setting_is_one_sentence_that_names_it(run, command):
    for name in WRONG_SETTINGS:
        assert_secret_sentence(run(command, **{name: "?!"}), command, name)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app@/baton?host=/run/postgresql",
        "postgresql://app:p%23%2F%3F%5B%5D%40@db.example:5432/baton?sslmode=require",
        "postgres://app:x:y@h1:1,h2:2/baton?target_session_attrs=primary",
        "postgresql://app@[::1]:5432/baton",
        "postgresql://%2Frun%2Fpostgresql/baton",
        "postgresql://:5432/baton",
        "postgresql://",
    ],
)
def test_a_valid_url_is_accepted(url):
    assert is_database_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hush@127.0.0.1:1/baton",
        "postgresql://app:hush@a..b/baton",
        "postgresql://app:hush@127.0.0.1:1/baton?sslmode=often",
        "postgresql://app:hush@127.0.0.1:1/baton?sslmode=verify-full&sslrootcert=/nowhere",
    ],
)
async def test_a_url_that_the_driver_cannot_use_is_unavailable(url):
    with pytest.raises(Unavailable):
        async with connect(url):
            pass


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in WITHOUT_DATABASE])
@pytest.mark.parametrize(
    "url", ["postgresql://app:hush@127.0.0.1:1/baton", "postgresql://app:hush@a..b/baton"]
)
def test_a_database_that_does_not_answer_is_one_sentence(run, command, url):
    assert_secret_sentence(run(command, DATABASE_URL=url), command, "does not answer")


@pytest.mark.parametrize(
    "command", ["serve", "seed", "retain", "export billing", "migrate grant", "migrate verify", "doctor"]
)
async def test_a_command_before_up_is_one_sentence(run, server, command):
    async with new_database(server) as url:
        result = await asyncio.to_thread(run, command, DATABASE_URL=url)
        assert result.code == 1
        assert "migrate up" in result.out + result.err
        if command != "doctor":
            assert_one_sentence(result)


@pytest.fixture(scope="module")
async def roles(server):
    """URLs of a database without the schema and of a migrated one, for roles with too few privileges."""
    role, granted = f"weak_{uuid4().hex}", f"granted_{uuid4().hex}"
    async with new_database(server) as empty, new_database(server) as migrated:
        async with connect(migrated) as conn:
            await migrate.up(conn, sql.MIGRATIONS)
            await conn.execute(f"CREATE ROLE {role} LOGIN; CREATE ROLE {granted} LOGIN")
            await grant(conn, granted)

        def url_for(name, url):
            return urlsplit(url)._replace(netloc=f"{name}:hush@").geturl()

        yield {
            "none, empty": url_for(role, empty),
            "none": url_for(role, migrated),
            "granted": url_for(granted, migrated),
        }
        async with connect(migrated) as conn:
            await conn.execute(f"DROP OWNED BY {role}, {granted}; DROP ROLE {role}; DROP ROLE {granted}")


@pytest.mark.parametrize(
    ("command", "role"),
    [
        *(
            (c, "none, empty")
            for c in ("migrate up", "migrate verify", "seed", "retain", "migrate grant", "serve")
        ),
        *((c, "none") for c in COMMANDS if c not in {*WITHOUT_DATABASE, "dev"}),
        *((c, "granted") for c in ("migrate down", "migrate verify", "seed", "migrate grant")),
    ],
)
async def test_a_role_without_privileges_is_one_sentence(run, roles, command, role):
    assert_secret_sentence(await asyncio.to_thread(run, command, DATABASE_URL=roles[role]), command)


async def test_an_unknown_role_in_grant_is_one_sentence(run, fresh_url):
    result = await asyncio.to_thread(run, "migrate grant", DATABASE_URL=fresh_url)
    assert_secret_sentence(result, "", "There is no role 'somebody'", "CREATE ROLE")


@pytest.mark.parametrize("command", ["token", "dev"])
def test_a_folder_that_cannot_be_written_is_one_sentence(run, command):
    assert_secret_sentence(run(command, DATA_DIR="/dev/null/data"), command, "/dev/null/data")


@pytest.mark.parametrize("option", ["--port=99999", "--port=-1", "--own-ports=99999"])
def test_a_bad_port_is_a_usage_error(run, option):
    result = run(f"serve {option}")
    assert (result.code, result.err.count("Error: ")) == (2, 1)
