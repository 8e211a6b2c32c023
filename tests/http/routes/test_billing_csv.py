"""/billing.csv: a bill for whom it is for, safe in a spreadsheet, and never half of it as if whole."""

from __future__ import annotations

import asyncio
import csv
import socket
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from app.db.connections import TimeLimits, connect
from app.domain.model import Role
from app.domain.period import Period
from app.http.routes.billing_csv import AT_ONCE, BillingCsv
from app.jobs.billing_export import COLUMNS
from app.queries import billing
from app.queries.billing import BillingFilter
from tests.apps import make_app
from tests.queries.history import BEGIN, ENGINEERS, History
from tests.serving import PATIENCE_S, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.db.pool import Database
    from tests.serving import Served

WHOLE = {"from": "2026-01-01", "to": "2026-06-01"}
PERIOD = Period.between(BEGIN, datetime(2026, 6, 1, tzinfo=UTC))
EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
HARMLESS = ['a"b,c', "Müller\nSöhne", "1-2", ""]


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


async def test_the_file_is_the_lines_and_adds_up_to_the_totals(client, db, history):
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


async def test_what_is_wanted_narrows_it(client, history):
    rows = read((await client.get("/billing.csv", params=WHOLE)).text)
    ticket = rows[0]["ticket_id"]
    of_ticket = read((await client.get("/billing.csv", params=WHOLE | {"ticketId": ticket})).text)
    assert of_ticket == [row for row in rows if row["ticket_id"] == ticket]
    of_customer = read((await client.get("/billing.csv", params=WHOLE | {"customer": "Charité"})).text)
    assert of_customer == [row for row in rows if row["customer"] == "Charité"]
    none = read((await client.get("/billing.csv", params={"from": "2020-01-01", "to": "2020-02-01"})).text)
    assert none == []


async def test_no_text_becomes_a_formula_and_numbers_stay_numbers(client, db, history):
    billed = {row["ticket_id"] for row in read((await client.get("/billing.csv", params=WHOLE)).text)}
    names = EVIL + HARMLESS
    named = dict(zip(sorted(billed), names, strict=False))
    assert len(named) == len(names)
    async with db.transaction() as tx:
        for ticket, name in named.items():
            await tx.execute("UPDATE service_tickets SET customer_name = $2 WHERE id = $1", ticket, name)
        await tx.execute("UPDATE engineers SET name = '=cmd|'' /C calc''!A0'")
    rows = read((await client.get("/billing.csv", params=WHOLE)).text)
    assert {row["ticket_id"]: row["customer"] for row in rows if row["ticket_id"] in named} == {
        ticket: name if name in HARMLESS else f"'{name}" for ticket, name in named.items()
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
        (WHOLE | {"customer": "x" * 201}, "customer"),
        (WHOLE | {"costumer": "x"}, "costumer"),
        (WHOLE | {"customer": ["x", "y"]}, "query"),
    ],
)
async def test_what_cannot_be_meant_is_refused(client, parameters, field):
    response = await client.get("/billing.csv", params=parameters)
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_only_get_is_answered(client):
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
async def test_bills_are_for_those_whom_the_policy_names(client, tokens, role, status, code):
    engineer = ENGINEERS[0] if role is Role.ENGINEER else None
    token = None if role is None else tokens.sign(role, engineer, ttl_s=60)
    client.headers.pop("Authorization")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = await client.get("/billing.csv", params=WHOLE, headers=headers)
    assert response.status_code == status
    if code:
        assert response.json()["errors"][0]["extensions"]["code"] == code
    wrong = await client.get("/billing.csv", params=WHOLE, headers={"Authorization": "Bearer x"})
    assert wrong.status_code == 401


# On a real socket: who reads slowly, leaves, or is one too many.


@pytest.fixture
async def much(db: Database, history: History) -> int:
    """More lines than any buffer between here and there takes. Returns how many."""
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
async def app(shared_url: str, tokens: Any) -> Any:
    # A reader who stops is let be, so that nothing here depends on how fast the machine is.
    return make_app(shared_url, database_pool_size=AT_ONCE + 1, time_limits=TimeLimits(idle_s=60))


@pytest.fixture
async def served(app: Any) -> AsyncIterator[Served]:
    async with serving(app) as served:
        yield served


def asking(tokens: Any) -> bytes:
    token = tokens.sign(Role.AUDITOR, None, ttl_s=600)
    return (
        f"GET /billing.csv?from={WHOLE['from']}&to={WHOLE['to']} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    ).encode()


async def begun(port: int, tokens: Any) -> socket.socket:
    """A client that has asked, read the first bytes of its answer, and stopped."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)  # noqa: FBT003 - as the module has it
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, asking(tokens))
    assert await asyncio.wait_for(loop.sock_recv(client, 12), PATIENCE_S) == b"HTTP/1.1 200"
    return client


async def rest(client: socket.socket) -> bytes:
    found, loop = b"", asyncio.get_running_loop()
    while piece := await loop.sock_recv(client, 65536):
        found += piece
    return found


async def downloads(db: Database) -> int:
    async with db.connection() as conn:
        return await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '/* billing.every_billable_line */%'"
            " AND state <> 'idle'"
        )


async def until_none(db: Database) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await downloads(db):  # noqa: ASYNC110 - the database does not say when
            await asyncio.sleep(0.05)


async def test_who_leaves_gives_the_connection_back(served, db, much, tokens):
    client = await begun(served.port, tokens)
    assert await downloads(db) == 1
    client.close()
    await until_none(db)


async def test_one_too_many_is_told_to_come_again(served, db, much, tokens):
    readers = [await begun(served.port, tokens) for _ in range(AT_ONCE)]
    refused = await served.send(asking(tokens))
    assert refused.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 5\r\n" in refused
    for reader in readers:
        reader.close()
    await until_none(db)
    assert (await served.send(asking(tokens))).count(b"\r\nX-") == much


async def test_who_reads_for_too_long_does_not_get_a_file_that_looks_whole(shared_url, db, much, tokens):
    app = make_app(shared_url, database_pool_size=AT_ONCE + 1)
    [route] = [route for route in app.routes if getattr(route, "path", None) == "/billing.csv"]
    assert isinstance(route.endpoint, BillingCsv)
    route.endpoint._longest_s = 2  # it has long begun by then
    async with serving(app) as served:
        client = await begun(served.port, tokens)
        await until_none(db)
        assert not (await rest(client)).endswith(b"0\r\n\r\n")
        client.close()


async def test_a_database_that_is_too_slow_is_told_before_anything_is_sent(shared_url, db, tokens):
    app = make_app(shared_url, time_limits=TimeLimits(statement_s=0.3))
    # The lock is held for as long as it takes.
    async with serving(app) as served, connect(shared_url) as conn, conn.transaction():
        await conn.execute("LOCK TABLE hourly_rates IN ACCESS EXCLUSIVE MODE")
        refused = await served.send(asking(tokens))
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in refused
    assert b'"extensions":{"code":"UNAVAILABLE","retryAfterSeconds":1}' in refused
