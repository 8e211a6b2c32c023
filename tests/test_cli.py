"""The command line: output of each command; an error is one sentence and exit code 1."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest

from app import config
from app.db import sql
from app.db.connections import connect
from app.domain.model import Role
from app.http.routes.pages import Provider, provider_for
from tests.processes import CHECKOUT, Result, assert_one_sentence

LABELS = sorted(file.name.removesuffix(".up.sql") for file in sql.MIGRATIONS.glob("*.up.sql"))
NOW = datetime.now(UTC)
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"
PROVIDER = {
    "AUTH_JWKS_URL": "https://127.0.0.1:9/keys",
    "AUTH_ISSUER": "https://idp.example",
    "AUTH_AUDIENCE": "https://baton.example/api",
}
PAGES = PROVIDER | {"AUTH_CLIENT_ID": "baton-pages"}
PRODUCTION = {"APP_ENV": "production", "DATABASE_URL": UNREACHABLE}


def test_schema_prints_the_schema_file(cli):
    assert cli("schema") == Result(0, (CHECKOUT / "schema.graphql").read_text(), "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"APP_ENV": "staging"}, ["APP_ENV", "'staging'"]),
        ({"DATABASE_POOL_SIZE": "many"}, ["DATABASE_POOL_SIZE", "'many'"]),
        ({"DATABASE_POOL_SIZE": "0"}, ["DATABASE_POOL_SIZE", "'0'"]),
        ({"DATABASE_URL": "mysql://x"}, ["DATABASE_URL", "postgresql://"]),
        ({"DATABASE_DIRECT_URL": "x"}, ["DATABASE_DIRECT_URL", "postgresql://"]),
        ({"DATABASE_POOLER": "session"}, ["DATABASE_POOLER", "'session'"]),
        ({"DATABASE_POOLER": "transaction", "DATABASE_URL": UNREACHABLE}, ["DATABASE_DIRECT_URL"]),
        ({"AUTH_DEV_SECRET": "short"}, ["AUTH_DEV_SECRET", "32"]),
        ({"APP_ENV": "production", "AUTH_DEV_SECRET": "x" * 32}, ["AUTH_DEV_SECRET", "production"]),
        ({"APP_ENV": "production", "AUTH_DEV_ADDRESSES": "10.0.0.1"}, ["AUTH_DEV_ADDRESSES", "production"]),
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
def test_an_invalid_setting_is_named(settings, words):
    with pytest.raises(config.SettingsError) as error:
        config.load(settings)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"])
def test_development_may_use_http_on_this_machine(host):
    assert config.load({"AUTH_JWKS_URL": f"http://{host}/keys"}).auth_jwks_url


def test_the_pages_use_the_provider_if_there_is_a_client_id():
    assert provider_for(config.load(PROVIDER)) is None
    settings = config.load(PAGES | {"AUTH_ISSUER": "https://idp.example/realms/field"})
    assert provider_for(settings) == Provider(
        "https://idp.example/realms/field", "baton-pages", "openid", PROVIDER["AUTH_AUDIENCE"]
    )


def test_roles_of_the_provider_are_mapped():
    assert config.load({}).role_map == {role.value: role for role in Role}
    settings = config.load({"AUTH_ROLE_MAP": " baton-dispatch = dispatcher, a=b=admin"})
    assert settings.role_map == {"baton-dispatch": Role.DISPATCHER, "a=b": Role.ADMIN}


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
            {"DATABASE_URL": UNREACHABLE, "AUTH_AUDIENCE": "a"},
            ["AUTH_JWKS_URL, AUTH_ISSUER must be set"],
        ),
        ("serve", PRODUCTION | PROVIDER, ["ALLOWED_HOSTS must be set"]),
        ("retain", {}, ["EVENTS_KEPT_MONTHS must be set"]),
        ("migrate status", {}, ["DATABASE_URL"]),
        ("migrate up", {"DATABASE_URL": UNREACHABLE}, ["DATABASE_URL", "does not answer"]),
    ],
    ids=str,
)
def test_an_error_is_one_sentence_that_names_it(cli, command, settings, words):
    assert_one_sentence(cli(*command.split(), **settings), *words)


def test_a_missing_database_is_one_sentence(cli, server):
    url = server.replace("/postgres?", "/nothing_here?")
    assert_one_sentence(cli("migrate", "status", DATABASE_URL=url), "DATABASE_URL", "nothing_here")


@pytest.mark.parametrize("command", ["token --role chief", "token --role engineer"])
def test_missing_options_print_the_usage(cli, command):
    result = cli(*command.split())
    assert result.code == 2
    assert "Usage: python -m app" in result.err


def test_the_development_secret_is_generated_once_and_private(cli, tmp_path):
    for _ in range(2):
        assert cli("token", "--role", "auditor", DATA_DIR=str(tmp_path)).out.count(".") == 2
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text()) >= 32


def test_migrations_go_up_and_down_and_a_dry_run_changes_nothing(cli, empty_database):
    def migrate(*arguments: str) -> str:
        result = cli("migrate", *arguments, DATABASE_URL=empty_database)
        assert (result.code, result.err) == (0, "")
        return result.out

    def states() -> list[str]:
        return [line.split()[0] for line in migrate("status").splitlines()]

    none_applied = ["pending"] * (len(LABELS) - 1) + ["waiting"]
    most_applied = ["applied"] * (len(LABELS) - 1) + ["waiting"]
    assert "rolled back" in migrate("up", "--dry-run")
    assert states() == none_applied
    assert migrate("up").count("done") == len(LABELS) - 1
    assert migrate("up") == "Nothing is pending.\n"
    assert migrate("verify").splitlines()[0].split()[-2:] == ["0", "ok"]
    migrate("down", "--dry-run")
    assert states() == most_applied
    assert "0006_contract" in migrate("up", "--to", "6")
    assert states() == ["applied"] * len(LABELS)
    assert migrate("down", "--to", "0").count("done") == len(LABELS)
    assert states() == none_applied


async def test_verify_fails_if_counts_differ(cli, empty_database):
    cli("migrate", "up", DATABASE_URL=empty_database)
    async with connect(empty_database) as conn:
        await conn.execute("SET session_replication_role = replica")  # skips the triggers
        await conn.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ('T', 'T')")
    result = cli("migrate", "verify", DATABASE_URL=empty_database)
    assert result.code == 1
    assert "Tickets not migrated" in result.out
    assert "must be 0" in result.out


async def test_verify_fails_if_a_value_is_unreadable(cli, fresh_url):
    async with connect(fresh_url) as conn:
        await conn.execute(
            "INSERT INTO service_tickets (id, ticket_number, created_at) VALUES ('T', 'T', 'infinity')"
        )
    result = cli("migrate", "verify", DATABASE_URL=fresh_url)
    assert (result.code, result.out.splitlines()[-1]) == (1, "Unreadable: created_at of ticket T")


def test_verify_needs_a_migrated_database(cli, empty_database):
    assert_one_sentence(cli("migrate", "verify", DATABASE_URL=empty_database), "migrate up")


def test_serve_needs_a_migrated_database(cli, empty_database, tmp_path):
    result = cli("serve", "--port", "0", DATABASE_URL=empty_database, DATA_DIR=str(tmp_path))
    assert_one_sentence(result, "migrate up")


def test_seed_needs_an_empty_database(cli, fresh_url):
    result = cli("seed", "--tickets", "5", DATABASE_URL=fresh_url)
    assert result.code == 0, result.err
    assert_one_sentence(cli("seed", "--tickets", "5", DATABASE_URL=fresh_url), "empty")


def test_retain_keeps_recent_events(cli, fresh_url):
    assert "No event partition is older" in cli("retain", DATABASE_URL=fresh_url, EVENTS_KEPT_MONTHS="12").out


def test_doctor_names_a_missing_setting(cli):
    result = cli("doctor")
    assert "The web pages are " in result.out
    assert result.code == 1
    assert "!! DATABASE_URL is unset" in result.out


def test_doctor_prints_no_secret(cli, fresh_url):
    url = fresh_url.replace("postgres@", "postgres:hush@")
    result = cli("doctor", DATABASE_URL=url, AUTH_DEV_SECRET="hush" * 8)
    assert "AUTH_DEV_SECRET = (set)" in result.out
    assert "hush" not in result.out + result.err


def test_doctor_checks_the_database(cli, fresh_url, empty_database):
    result = cli("doctor", DATABASE_URL=fresh_url)
    assert "PostgreSQL" in result.out
    assert [line for line in result.out.splitlines() if "!!" in line] == [
        "  !! The role is a superuser: use a role that can only read and write the tables of Baton."
    ]
    result = cli("doctor", DATABASE_URL=empty_database)
    assert result.code == 1
    assert "migrate up" in result.out
    assert "does not answer" in cli("doctor", DATABASE_URL=UNREACHABLE).out


def test_export_billing_writes_to_standard_output(cli, fresh_url):
    assert cli("seed", "--tickets", "50", DATABASE_URL=fresh_url).code == 0
    year = ["--from", f"{NOW - timedelta(days=300):%Y-%m-%d}", "--to", f"{NOW + timedelta(days=1):%Y-%m-%d}"]
    result = cli("export", "billing", *year, DATABASE_URL=fresh_url, BILLING_CURRENCY="CHF")
    assert result.code == 0, result.err
    rows = list(csv.DictReader(StringIO(result.out)))
    assert sum(Decimal(row["cost"] or 0) for row in rows) > 0
    assert {row["currency"] for row in rows} == {"CHF"}
    customer = rows[0]["customer"]
    filtered = cli("export", "billing", *year, "--customer", customer, DATABASE_URL=fresh_url)
    assert {row["customer"] for row in csv.DictReader(StringIO(filtered.out))} == {customer}
    for other in (f"{customer} ", ""):
        no_rows = cli("export", "billing", *year, "--customer", other, DATABASE_URL=fresh_url)
        assert len(no_rows.out.splitlines()) == 1
    by_semicolon = cli("export", "billing", *year, "--separator", ";", DATABASE_URL=fresh_url)
    reader = csv.DictReader(StringIO(by_semicolon.out), delimiter=";")
    assert [row | {"currency": "CHF"} for row in reader] == rows
    ticket = cli("export", "billing", *year, "--ticket", rows[0]["ticket_id"], DATABASE_URL=fresh_url)
    assert {row["ticket_id"] for row in csv.DictReader(StringIO(ticket.out))} == {rows[0]["ticket_id"]}


def test_an_invalid_period_is_one_sentence(cli):
    assert_one_sentence(
        cli("export", "billing", "--from", "x", "--to", "2026-02-01"), "from must be a date and time"
    )
    assert_one_sentence(
        cli("export", "billing", "--from", "2026-02-01", "--to", "2026-02-01"), "later than from"
    )
