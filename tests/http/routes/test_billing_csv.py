"""/billing.csv: permissions, spreadsheet safety, and no incomplete file that looks complete."""

import asyncio
import csv
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from app.db.connections import TimeLimits, connect
from app.db.pool import Database
from app.domain.model import Role
from app.domain.period import Period
from app.http.routes.billing_csv import MAX_CONCURRENT, BillingCsv
from app.jobs.billing_export import COLUMNS
from app.queries import billing
from app.queries.billing import BillingFilter
from tests.apps import authorization, make_app
from tests.polling import until
from tests.queries.history import BEGIN, ENGINEERS, History
from tests.serving import PATIENCE_S, Served, serving

WHOLE = {"from": "2026-01-01", "to": "2026-06-01"}
PERIOD = Period.between(BEGIN, datetime(2026, 6, 1, tzinfo=UTC))
FORMULAS = {"=1+1": "'=1+1", "Plain;@SUM(1+1)": "Plain;'@SUM(1+1)", "a\r\n-1": "a\r\n'-1"}
HARMLESS = ["Müller\nSöhne", ""]


@pytest.fixture
async def history(db: Database) -> History:
    history = History(seed=5, tickets=40)
    async with db.transaction() as tx:
        await history.load(tx)
        rates = [(engineer, BEGIN, Decimal("80.55"), "admin", BEGIN) for engineer in ENGINEERS[:3]]
        columns = ["engineer_id", "valid_from", "hourly_rate", "set_by", "set_at"]
        await tx.copy_records_to_table("hourly_rates", columns=columns, records=rates)
    return history


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline="")))


async def test_the_rows_add_up_to_the_totals(client, db, history):
    response = await client.get("/billing.csv", params=WHOLE)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert (
        response.headers["content-disposition"] == 'attachment; filename="billing_2026-01-01_2026-06-01.csv"'
    )
    assert response.headers["cache-control"] == "no-store"
    rows = read(response.text)
    async with db.connection() as conn:
        totals = await billing.totals(conn, BillingFilter(PERIOD))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == totals.lines > 0
    for column in ("hours", "labour_cost", "parts_cost", "cost"):
        assert sum(Decimal(row[column] or 0) for row in rows) == getattr(totals, column) > 0
    assert {row["currency"] for row in rows} == {"EUR"}


async def test_parameters_filter_the_rows(client, history):
    rows = read((await client.get("/billing.csv", params=WHOLE)).text)
    ticket = rows[0]["ticket_id"]
    of_ticket = read((await client.get("/billing.csv", params=WHOLE | {"ticketId": ticket})).text)
    assert of_ticket == [row for row in rows if row["ticket_id"] == ticket]
    of_customer = read((await client.get("/billing.csv", params=WHOLE | {"customer": "Charité"})).text)
    assert of_customer == [row for row in rows if row["customer"] == "Charité"]
    no_rows = read((await client.get("/billing.csv", params={"from": "2020-01-01", "to": "2020-02-01"})).text)
    assert no_rows == []


async def test_separator_of_columns(client, history):
    by_comma = read((await client.get("/billing.csv", params=WHOLE)).text)
    text = (await client.get("/billing.csv", params=WHOLE | {"separator": ";"})).text
    by_semicolon = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";")
    assert list(by_semicolon) == by_comma


async def test_no_text_becomes_a_formula_and_numbers_stay_numbers(client, db, history):
    tickets = {row["ticket_id"] for row in read((await client.get("/billing.csv", params=WHOLE)).text)}
    names = [*FORMULAS, *HARMLESS]
    named = dict(zip(sorted(tickets), names, strict=False))
    assert len(named) == len(names)
    async with db.transaction() as tx:
        for ticket, name in named.items():
            await tx.execute("UPDATE service_tickets SET customer_name = $2 WHERE id = $1", ticket, name)
        await tx.execute("UPDATE engineers SET name = '=cmd|'' /C calc''!A0'")
    rows = read((await client.get("/billing.csv", params=WHOLE)).text)
    assert {row["ticket_id"]: row["customer"] for row in rows if row["ticket_id"] in named} == {
        ticket: FORMULAS.get(name, name) for ticket, name in named.items()
    }
    assert {row["engineer"] for row in rows} == {"'=cmd|' /C calc'!A0"}
    assert all(Decimal(row["hours"]) >= 0 for row in rows if row["hours"])


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "from"),
        ({"from": "2026-01-01"}, "to"),
        (WHOLE | {"from": "yesterday"}, "from"),
        (WHOLE | {"from": "2026-01-01T00:00:00"}, "from"),
        (WHOLE | {"to": "2026-01-01"}, "to"),
        (WHOLE | {"to": "2028-01-01"}, "to"),
        (WHOLE | {"ticketId": ""}, "ticketId"),
        (WHOLE | {"customer": "\0"}, "customer"),
        (WHOLE | {"costumer": "x"}, "costumer"),
        (WHOLE | {"separator": "\t"}, "separator"),
        (WHOLE | {"separator": ""}, "separator"),
        (WHOLE | {"customer": ["x", "y"]}, "query"),
    ],
)
async def test_invalid_parameters_are_refused(client, parameters, field):
    response = await client.get("/billing.csv", params=parameters)
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_only_get_is_allowed(client):
    response = await client.post("/billing.csv", params=WHOLE)
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("role", "status", "code"),
    [
        (None, 401, "UNAUTHENTICATED"),
        (Role.ENGINEER, 403, "FORBIDDEN"),
        (Role.AUDITOR, 200, None),
        (Role.DISPATCHER, 200, None),
        (Role.ADMIN, 200, None),
    ],
)
async def test_the_policy_decides_who_may_read_bills(client, role, status, code):
    client.headers.pop("Authorization")
    headers = {} if role is None else authorization(role, ENGINEERS[0] if role is Role.ENGINEER else None)
    response = await client.get("/billing.csv", params=WHOLE, headers=headers)
    assert response.status_code == status
    if code:
        assert response.json()["errors"][0]["extensions"]["code"] == code
    invalid = await client.get("/billing.csv", params=WHOLE, headers={"Authorization": "Bearer x"})
    assert invalid.status_code == 401


# On a real socket: slow readers, disconnects, and too many downloads


@pytest.fixture
async def many_rows(db: Database, history: History) -> int:
    """More rows than fit into the buffers between server and client; returns how many."""
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO service_tickets (id, ticket_number, customer_name)"
            " SELECT 'X-' || n, 'X-' || n, repeat('x', 2000) FROM generate_series(1, 4000) n"
        )
        await tx.execute(
            "INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence, assignment_tier,"
            " assignment_tier_name, status, completed_at, time_spent_hours, origin)"
            " SELECT 'X-' || n, $1, 1, 1, 'OEM', 'completed', $2, 1, 'legacy'"
            " FROM generate_series(1, 4000) n",
            ENGINEERS[0],
            BEGIN,
        )
    return 4000


@pytest.fixture
async def app(shared_url: str) -> Any:
    # Long enough that a paused reader keeps its transaction on a slow machine.
    return make_app(shared_url, database_pool_size=MAX_CONCURRENT + 1, time_limits=TimeLimits(idle_s=60))


@pytest.fixture
async def served(app: Any) -> AsyncIterator[Served]:
    async with serving(app) as served:
        yield served


def request() -> bytes:
    return (
        f"GET /billing.csv?from={WHOLE['from']}&to={WHOLE['to']} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {authorization(Role.AUDITOR)['Authorization']}\r\nConnection: close\r\n\r\n"
    ).encode()


async def paused_reader(port: int) -> socket.socket:
    """A client that has read the first bytes of the response and stopped."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)  # noqa: FBT003 - as the module has it
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, request())
    assert await asyncio.wait_for(loop.sock_recv(client, 12), PATIENCE_S) == b"HTTP/1.1 200"
    return client


async def read_rest(client: socket.socket) -> bytes:
    data, loop = b"", asyncio.get_running_loop()
    while chunk := await loop.sock_recv(client, 65536):
        data += chunk
    return data


async def downloads(db: Database) -> int:
    async with db.connection() as conn:
        return await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '/* billing.every_billable_line */%'"
            " AND state <> 'idle'"
        )


async def until_none(db: Database) -> None:
    async def has_none() -> bool:
        return await downloads(db) == 0

    await until(has_none)


async def test_a_disconnect_releases_the_connection(served, db, many_rows):
    client = await paused_reader(served.port)
    assert await downloads(db) == 1
    client.close()
    await until_none(db)


async def test_too_many_downloads_are_refused(served, db, many_rows):
    readers = [await paused_reader(served.port) for _ in range(MAX_CONCURRENT)]
    refused = await served.send(request())
    assert refused.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 5\r\n" in refused
    for reader in readers:
        reader.close()
    await until_none(db)
    assert (await served.send(request())).count(b"\r\nX-") == many_rows


async def test_a_download_that_takes_too_long_is_aborted(shared_url, db, many_rows):
    app = make_app(shared_url, database_pool_size=MAX_CONCURRENT + 1)
    [route] = [route for route in app.routes if getattr(route, "path", None) == "/billing.csv"]
    assert isinstance(route.endpoint, BillingCsv)
    route.endpoint._max_download_s = 2  # the download has started long before
    async with serving(app) as served:
        client = await paused_reader(served.port)
        await until_none(db)
        assert not (await read_rest(client)).endswith(b"0\r\n\r\n")
        client.close()


async def test_a_slow_database_is_503(shared_url, db):
    app = make_app(shared_url, time_limits=TimeLimits(statement_s=0.3))
    async with serving(app) as served, connect(shared_url) as conn, conn.transaction():
        await conn.execute("LOCK TABLE hourly_rates IN ACCESS EXCLUSIVE MODE")
        refused = await served.send(request())
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in refused
    assert b'"extensions":{"code":"UNAVAILABLE","retryAfterSeconds":1}' in refused
