"""The doctor says what would fail in the server, before it does."""

import re
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app import doctor
from app.config import Settings
from app.db import migrate, sql
from app.db.connections import connect
from app.db.grants import grant, missing_privileges
from app.db.migration_files import MigrationError
from tests.databases import migrate_whole, new_database

GRANTS = re.sub(r"--.*", "", (sql.ROOT / "grants.sql").read_text(encoding="utf-8"))
PRIVILEGES = [
    (privilege, item)
    for privileges, objects in re.findall(r"GRANT (.+) ON (.+) TO %I;", GRANTS)
    for item in re.sub(r"(SCHEMA|FUNCTION|SEQUENCE) ", r"\1_", objects).split(", ")
    for privilege in privileges.split(", ")
    if item != "SCHEMA_public"  # everybody has it
]


@pytest.fixture(scope="module", params=["before the contract", "after the contract"])
async def database(server, request):
    """The URLs of a database for its administrator and for the server's role."""
    role = f"server_{uuid4().hex}"
    async with new_database(server) as url, connect(url) as conn:
        if request.param == "before the contract":
            await migrate.up(conn, sql.MIGRATIONS)
        else:
            await migrate_whole(url)
        await conn.execute(f"CREATE ROLE {role} LOGIN")
        await grant(conn, role)
        yield url, urlsplit(url)._replace(netloc=f"{role}@").geturl()
        await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def problems(url, **settings):
    checks = doctor.check_database(Settings(database_url=url), lambda _: None, **settings)
    return [problem async for problem in checks]


async def test_a_granted_role_has_no_problem(database):
    _, url = database
    assert await problems(url, deep=True) == []


@pytest.mark.parametrize(("privilege", "item"), PRIVILEGES)
async def test_the_doctor_names_each_missing_privilege(database, privilege, item):
    admin_url, url = database
    role, item = urlsplit(url).username, item.replace("_", " ", 1) if item[0].isupper() else item
    async with connect(admin_url) as conn:
        await conn.execute("SET search_path = baton, public")
        await conn.execute(f"REVOKE {privilege} ON {item} FROM {role}")
        try:
            [problem] = await problems(url)
        finally:
            await grant(conn, role)
    assert item.split()[-1].partition("(")[0] in problem
    assert "migrate grant" in problem


@pytest.mark.parametrize(
    ("damage", "repair", "words"),
    [
        (
            "REVOKE EXECUTE ON FUNCTION public.app_now FROM PUBLIC",
            "GRANT EXECUTE ON FUNCTION public.app_now TO PUBLIC",
            "permission denied for function app_now",
        ),
        (
            "ALTER TABLE public.ticket_events RENAME COLUMN actor TO person",
            "ALTER TABLE public.ticket_events RENAME COLUMN person TO actor",
            "actor",
        ),
        (
            "ALTER ROLE {role} SET default_transaction_read_only = on",
            "ALTER ROLE {role} RESET default_transaction_read_only",
            "SET default_transaction_read_only = 'off'",
        ),
    ],
)
async def test_the_doctor_tries_every_statement(database, damage, repair, words):
    admin_url, url = database
    async with connect(admin_url) as conn:
        await conn.execute(damage.format(role=urlsplit(url).username))
        try:
            [problem] = await problems(url)
        finally:
            await conn.execute(repair.format(role=urlsplit(url).username))
    assert words in problem


async def test_the_deep_doctor_reads_every_row(database):
    admin_url, url = database
    async with connect(admin_url) as conn:
        await conn.execute(
            "INSERT INTO service_tickets (id, ticket_number, created_at) VALUES ('T', 'T', 'infinity')"
        )
        assert await problems(url) == []
        assert await problems(url, deep=True) == ["created_at of ticket T is unreadable: correct its value."]
        await conn.execute("DELETE FROM service_tickets")


async def test_grant_fails_if_the_role_may_not_grant_everything(database):
    """PostgreSQL only warns."""
    admin_url, url = database
    role = f"other_{uuid4().hex}"
    async with connect(admin_url) as conn:
        await conn.execute(f"CREATE ROLE {role}")
        async with connect(url) as weak:
            with pytest.raises(MigrationError, match=r"may not grant .*SELECT on engineers.* as the owner"):
                await grant(weak, role)
        assert await missing_privileges(conn, role)
        await grant(conn, role)
        assert await missing_privileges(conn, role) == []
        await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_difference_of_clocks_has_dates(database, monkeypatch):
    monkeypatch.setattr(doctor, "_MAX_CLOCK_DIFFERENCE_S", -1)
    [problem] = await problems(database[1])
    assert re.fullmatch(
        r"The clocks differ: the database has {0}, this .* {0}; .*".format(r"\d{4}-\d\d-\d\d .* UTC"), problem
    )
