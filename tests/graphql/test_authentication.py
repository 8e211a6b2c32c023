"""Every root field needs a signed-in user; introspection does not. An invalid token is status 401."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    get_named_type,
    is_input_object_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from app.domain.model import Role
from app.graphql.schema import build_schema
from app.http.auth.tokens import DevelopmentTokens
from tests.graphql.bad_input import UNKNOWN, assert_no_internals, send, unchanged_tables


def operations() -> Iterator[tuple[str, str]]:
    """Yield each root field with an operation that has its required arguments."""
    schema = build_schema()._schema
    for kind, root_type in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, field in root_type.fields.items():
            required = [f"{n}: {literal(a.type)}" for n, a in field.args.items() if is_required_argument(a)]
            arguments = f"({', '.join(required)})" if required else ""
            selection = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
            yield name, f"{kind} {{ {name}{arguments}{selection} }}"


def literal(type_: Any) -> str:
    named = get_named_type(type_)
    if is_input_object_type(named):
        required = [f"{n}: {literal(f.type)}" for n, f in named.fields.items() if is_required_input_field(f)]
        return f"{{{', '.join(required)}}}"
    literals = {
        "Int": "1",
        "Decimal": '"1"',
        "CompletionStatus": "SUCCESS",
        "DateTime": '"2026-03-01T00:00:00Z"',
    }
    return literals.get(named.name, f'"{UNKNOWN}"')


@pytest.mark.parametrize(("root", "query"), list(operations()))
async def test_every_root_needs_a_signed_in_user(client, db, root, query):
    del client.headers["Authorization"]
    async with unchanged_tables(db):
        response = await send(client, query)
    [error] = response["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert not (response["data"] or {}).get(root)


async def test_introspection_needs_no_user(client):
    del client.headers["Authorization"]
    response = await send(client, "{ __schema { queryType { name } } }")
    assert response["data"] == {"__schema": {"queryType": {"name": "Query"}}}


async def test_an_invalid_or_expired_token_is_status_401(client, tokens):
    other = DevelopmentTokens("another secret of thirty-two characters")
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwicm9sZSI6ImFkbWluIn0."
    expired = tokens.sign(Role.ADMIN, None, ttl_s=-1)
    bearers = [other.sign(Role.ADMIN, None, ttl_s=60), unsigned, expired, "", "x", "a.b.c", "\xff"]
    for header in (*(f"Bearer {token}" for token in bearers), "", "Bearer", "Basic YTpi", "x"):
        headers = {"Authorization": header.encode("latin-1")}
        response = await client.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert_no_internals(error)
