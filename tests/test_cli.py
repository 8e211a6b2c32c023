"""The command line: what each command says, and that a mistake is one sentence and exit code 1."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest

from app import config
from app.asgi import provider_for
from app.db import sql
from app.db.connections import connect
from app.domain.model import Role
from app.http.routes.pages import Provider

CHECKOUT = Path(__file__).parents[1]
OURS = {f.name.upper() for f in fields(config.Settings)}
LABELS = sorted(file.name.removesuffix(".up.sql") for file in sql.MIGRATIONS.glob("*.up.sql"))
NOW = datetime.now(UTC)
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
PROVIDER = {
    "AUTH_JWKS_URL": "https://127.0.0.1:9/keys",
    "AUTH_ISSUER": "https://idp.example",
    "AUTH_AUDIENCE": "https://baton.example/api",
}
PAGES = PROVIDER | {"AUTH_CLIENT_ID": "baton-pages"}
PRODUCTION = {"APP_ENV": "production", "DATABASE_URL": NOWHERE}


@dataclass
class Said:
    code: int
    out: str
    err: str


def run(*arguments: str, **settings: str) -> Said:
    """`python -m app` with these settings and no others."""
    environment = {name: value for name, value in os.environ.items() if name not in OURS} | settings
    command = [sys.executable, "-m", "app", *arguments]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def is_one_sentence(said: Said, *words: str) -> None:
    assert said.code == 1, said
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err


def test_the_schema_on_file_is_the_schema_of_the_code():
    on_file = CHECKOUT / "schema.graphql"
    if not on_file.is_file():
        pytest.skip("schema.graphql is not there yet")
    assert run("schema") == Said(0, on_file.read_text(), "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"APP_ENV": "staging"}, ["APP_ENV", "'staging'"]),
        ({"DATABASE_POOL_SIZE": "many"}, ["DATABASE_POOL_SIZE", "'many'"]),
        ({"DATABASE_POOL_SIZE": "0"}, ["DATABASE_POOL_SIZE", "'0'"]),
        ({"DATABASE_URL": "mysql://x"}, ["DATABASE_URL", "postgresql://"]),
        ({"DATABASE_DIRECT_URL": "x"}, ["DATABASE_DIRECT_URL", "postgresql://"]),
        ({"DATABASE_POOLER": "session"}, ["DATABASE_POOLER", "'session'"]),
        ({"DATABASE_POOLER": "transaction", "DATABASE_URL": NOWHERE}, ["DATABASE_DIRECT_URL"]),
        ({"AUTH_DEV_SECRET": "short"}, ["AUTH_DEV_SECRET", "32"]),
        ({"APP_ENV": "production", "AUTH_DEV_SECRET": "x" * 32}, ["AUTH_DEV_SECRET", "production"]),
        ({"AUTH_DEV_SECRET": "x" * 32, **PROVIDER}, ["AUTH_DEV_SECRET", "AUTH_JWKS_URL"]),
        ({"AUTH_JWKS_URL": "https://"}, ["AUTH_JWKS_URL", "https://"]),
        ({"AUTH_JWKS_URL": "file:///etc/passwd"}, ["AUTH_JWKS_URL", "https://"]),
        ({"AUTH_JWKS_URL": "https://[::1"}, ["AUTH_JWKS_URL", "https://"]),
        ({"AUTH_JWKS_URL": "http://idp.example/keys"}, ["AUTH_JWKS_URL", "https://"]),
        ({"AUTH_JWKS_URL": "http://localhost.evil.example/keys"}, ["AUTH_JWKS_URL", "https://"]),
        ({"APP_ENV": "production", "AUTH_JWKS_URL": "http://localhost/keys"}, ["AUTH_JWKS_URL", "https://"]),
        ({"AUTH_ROLE_MAP": "dispatcher"}, ["AUTH_ROLE_MAP", "dispatch=dispatcher", "auditor"]),
        ({"AUTH_ROLE_MAP": "a=chief"}, ["AUTH_ROLE_MAP"]),
        ({"AUTH_ROLE_MAP": "a=admin,,b=auditor"}, ["AUTH_ROLE_MAP"]),
        ({"AUTH_CLIENT_ID": "pages"}, ["AUTH_CLIENT_ID", "AUTH_JWKS_URL"]),
        (PAGES | {"AUTH_ISSUER": "idp.example"}, ["AUTH_ISSUER", "https://"]),
        (PAGES | {"AUTH_ISSUER": "http://idp.example"}, ["AUTH_ISSUER", "https://"]),
        (PAGES | {"AUTH_ISSUER": "https://idp.example; script-src *"}, ["AUTH_ISSUER", "https://"]),
        (PAGES | {"AUTH_SCOPES": "profile"}, ["AUTH_SCOPES", "openid"]),
        ({"BILLING_CURRENCY": "Euro"}, ["BILLING_CURRENCY", "EUR"]),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(settings, words):
    with pytest.raises(config.SettingsError) as refused:
        config.load(settings)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"])
def test_development_may_ask_a_provider_on_this_machine(host):
    assert config.load({"AUTH_JWKS_URL": f"http://{host}/keys"}).auth_jwks_url


def test_the_pages_sign_people_in_where_they_have_a_client_id():
    assert provider_for(config.load(PROVIDER)) is None
    told = config.load(PAGES | {"AUTH_ISSUER": "https://idp.example/realms/field"})
    assert provider_for(told) == Provider(
        "https://idp.example/realms/field", "baton-pages", "openid", PROVIDER["AUTH_AUDIENCE"]
    )


def test_the_providers_roles_become_ours():
    assert config.load({}).role_map == {role.value: role for role in Role}
    told = config.load({"AUTH_ROLE_MAP": " baton-dispatch = dispatcher, a=b=admin"})
    assert told.role_map == {"baton-dispatch": Role.DISPATCHER, "a=b": Role.ADMIN}


@pytest.mark.parametrize(
    ("command", "settings", "words"),
    [
        ("doctor", {"APP_ENV": "staging"}, ["APP_ENV"]),
        ("token --role admin", {"APP_ENV": "production"}, ["production"]),
        ("token --role engineer --engineer ENG-1", {}, ["--engineer", "UUID"]),
        ("token --role admin", {"APP_ENV": "production", **PROVIDER}, ["production"]),
        ("token --role admin", PROVIDER, ["AUTH_JWKS_URL"]),
        ("dev", {"APP_ENV": "production"}, ["production"]),
        ("dev", PROVIDER, ["AUTH_JWKS_URL"]),
        ("serve", {}, ["DATABASE_URL"]),
        ("serve", PRODUCTION, ["AUTH_JWKS_URL, AUTH_ISSUER, AUTH_AUDIENCE must be set"]),
        ("serve", PRODUCTION | PROVIDER | {"AUTH_ISSUER": ""}, ["Error: AUTH_ISSUER must be set"]),
        ("serve", PRODUCTION | PROVIDER | {"AUTH_DEV_SECRET": "x" * 32}, ["AUTH_DEV_SECRET", "production"]),
        (
            "serve",
            {"DATABASE_URL": NOWHERE, "AUTH_AUDIENCE": "a"},
            ["AUTH_JWKS_URL, AUTH_ISSUER must be set"],
        ),
        ("serve", PRODUCTION | PROVIDER, ["ALLOWED_HOSTS must be set"]),
        ("retain", {}, ["EVENTS_KEPT_MONTHS must be set"]),
        ("migrate status", {}, ["DATABASE_URL"]),
        ("migrate up", {"DATABASE_URL": NOWHERE}, ["DATABASE_URL", "does not answer"]),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_that_names_it(command, settings, words):
    is_one_sentence(run(*command.split(), **settings), *words)


def test_a_database_of_another_name_is_one_sentence(server):
    url = server.replace("/postgres?", "/nothing_here?")
    is_one_sentence(run("migrate", "status", DATABASE_URL=url), "DATABASE_URL", "nothing_here")


@pytest.mark.parametrize("command", ["token --role chief", "token --role engineer"])
def test_a_command_that_lacks_something_says_how_it_is_used(command):
    said = run(*command.split())
    assert said.code == 2
    assert "Usage: python -m app" in said.err


def test_a_secret_is_made_once_and_kept_to_oneself(tmp_path):
    for _ in range(2):
        assert run("token", "--role", "auditor", DATA_DIR=str(tmp_path)).out.count(".") == 2
    [kept] = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(kept.read_text()) >= 32


def test_migrations_go_up_and_down_and_a_dry_run_changes_nothing(empty_database):
    def migrate(*arguments: str) -> str:
        said = run("migrate", *arguments, DATABASE_URL=empty_database)
        assert (said.code, said.err) == (0, "")
        return said.out

    def states() -> list[str]:
        return [line.split()[0] for line in migrate("status").splitlines()]

    untouched = ["pending"] * (len(LABELS) - 1) + ["waiting"]
    done = ["applied"] * (len(LABELS) - 1) + ["waiting"]
    assert "rolled back" in migrate("up", "--dry-run")
    assert states() == untouched
    assert migrate("up").count("done") == len(LABELS) - 1
    assert migrate("up") == "Nothing is pending.\n"
    assert migrate("verify").splitlines()[0].split()[-2:] == ["0", "ok"]
    migrate("down", "--dry-run")
    assert states() == done
    assert "0006_contract" in migrate("up", "--to", "6")
    assert states() == ["applied"] * len(LABELS)
    assert migrate("down", "--to", "0").count("done") == len(LABELS)
    assert states() == untouched


async def test_verify_fails_where_the_counts_do_not_add_up(empty_database):
    run("migrate", "up", DATABASE_URL=empty_database)
    async with connect(empty_database) as conn:
        await conn.execute("SET session_replication_role = replica")  # past the triggers
        await conn.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ('T', 'T')")
    said = run("migrate", "verify", DATABASE_URL=empty_database)
    assert said.code == 1
    assert "Tickets not taken over" in said.out
    assert "must be 0" in said.out


def test_verify_says_when_there_is_nothing_to_count(empty_database):
    is_one_sentence(run("migrate", "verify", DATABASE_URL=empty_database), "migrate up")


def test_the_server_refuses_a_database_that_is_not_migrated(empty_database, tmp_path):
    said = run("serve", "--port", "0", DATABASE_URL=empty_database, DATA_DIR=str(tmp_path))
    is_one_sentence(said, "migrate up")


def test_demo_data_goes_into_an_empty_database_only(fresh_url):
    said = run("seed", "--tickets", "5", DATABASE_URL=fresh_url)
    assert said.code == 0, said.err
    is_one_sentence(run("seed", "--tickets", "5", DATABASE_URL=fresh_url), "empty")


def test_events_that_are_young_enough_are_kept(fresh_url):
    assert "No event partition" in run("retain", DATABASE_URL=fresh_url, EVENTS_KEPT_MONTHS="12").out


def test_the_doctor_says_what_is_missing():
    said = run("doctor")
    assert "The web pages are " in said.out
    assert said.code == 1
    assert "!! DATABASE_URL is unset" in said.out


def test_the_doctor_tells_no_secret(fresh_url):
    url = fresh_url.replace("postgres@", "postgres:hush@")
    said = run("doctor", DATABASE_URL=url, AUTH_DEV_SECRET="hush" * 8)
    assert "AUTH_DEV_SECRET = (set)" in said.out
    assert "hush" not in said.out + said.err


def test_the_doctor_finds_what_is_wrong_with_a_database(fresh_url, empty_database):
    said = run("doctor", DATABASE_URL=fresh_url)
    assert "PostgreSQL" in said.out
    assert [line for line in said.out.splitlines() if "!!" in line] == [
        "  !! The role is a superuser: give the server one that only reads and writes the product's tables."
    ]
    said = run("doctor", DATABASE_URL=empty_database)
    assert said.code == 1
    assert "migrate up" in said.out
    assert "does not answer" in run("doctor", DATABASE_URL=NOWHERE).out


def test_bills_are_written_to_standard_output(fresh_url):
    assert run("seed", "--tickets", "50", DATABASE_URL=fresh_url).code == 0
    year = ["--from", f"{NOW - timedelta(days=300):%Y-%m-%d}", "--to", f"{NOW + timedelta(days=1):%Y-%m-%d}"]
    said = run("export", "billing", *year, DATABASE_URL=fresh_url, BILLING_CURRENCY="CHF")
    assert said.code == 0, said.err
    rows = list(csv.DictReader(StringIO(said.out)))
    assert sum(Decimal(row["cost"] or 0) for row in rows) > 0
    assert {row["currency"] for row in rows} == {"CHF"}
    customer = rows[0]["customer"]
    narrowed = run("export", "billing", *year, "--customer", customer, DATABASE_URL=fresh_url)
    assert {row["customer"] for row in csv.DictReader(StringIO(narrowed.out))} == {customer}
    ticket = run("export", "billing", *year, "--ticket", rows[0]["ticket_id"], DATABASE_URL=fresh_url)
    assert {row["ticket_id"] for row in csv.DictReader(StringIO(ticket.out))} == {rows[0]["ticket_id"]}


def test_a_bill_of_no_period_is_one_sentence():
    is_one_sentence(
        run("export", "billing", "--from", "x", "--to", "2026-02-01"), "from must be a date and time"
    )
    is_one_sentence(run("export", "billing", "--from", "2026-02-01", "--to", "2026-02-01"), "later than from")
