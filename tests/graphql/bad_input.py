"""Invalid values, and checks that a request with one gets a plain error and changes nothing."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.db.pool import Database

UNKNOWN = "0190d3a4-5b6c-7d8e-9f01-23456789abcd"
UNSTORABLE = ["\0", "a\0b", "\ud800", "a\udfff"]
NOT_UUIDS = [
    *("", " ", "ENG-001", f"{{{UNKNOWN}}}", f"urn:uuid:{UNKNOWN}", UNKNOWN.replace("-", "")),
    *(UNKNOWN + "a", UNKNOWN + "\n", UNKNOWN[:-1] + "g", UNKNOWN[:-1] + "٣", "\0", "x" * 100_000),
]
INTERNALS = ["asyncpg", "postgres", "sql", "invalid byte", "traceback", "app/"]
TABLES = (
    "engineers",
    "service_tickets",
    "ticket_details",
    "engineer_assignments",
    "ticket_events",
    "idempotency_keys",
)


@asynccontextmanager
async def unchanged_tables(db: Database) -> AsyncIterator[None]:
    checksum = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
    async with db.connection() as conn:
        before = [await conn.fetchrow(checksum.format(table)) for table in TABLES]
        yield
        assert [await conn.fetchrow(checksum.format(table)) for table in TABLES] == before


async def send(client: Any, query: str, **variables: Any) -> Any:
    """Return the response, which is never a server error. Lone surrogates are sent as JSON escapes."""
    body = json.dumps({"query": query, "variables": variables})
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code < 500
    return response.json()


def assert_bad_user_input(response: Any, *sent: Any) -> None:
    [error] = response["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT", (abbreviate(sent), response)
    assert_no_internals(error)


def assert_no_internals(value: Any) -> None:
    assert not [word for word in INTERNALS if word in json.dumps(value).lower()], value


def abbreviate(value: Any) -> str:
    return ascii(value)[:40]
