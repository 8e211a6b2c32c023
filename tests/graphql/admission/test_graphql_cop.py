"""What graphql-cop, a scanner that people point at GraphQL servers, looks for: its checks, told anew.

The package of that name on PyPI is empty, so the scanner itself cannot be had there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.domain.model import Role
from app.http.routes import pages
from tests.graphql.conftest import act_as

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from httpx import AsyncClient

CIRCLE = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } }"
PAGES = ("/graphiql", "/playground", "/console", "/graphql", "/")


async def posted(client: AsyncClient, query: str) -> Any:
    return (await client.post("/graphql", json={"query": query})).json()


async def aliases(client: AsyncClient) -> bool:
    many = " ".join(f"alias{i}: __typename" for i in range(101))
    return "data" in await posted(client, f"{{ {many} }}")


async def batches(client: AsyncClient) -> bool:
    response = await client.post("/graphql", json=[{"query": "{ __typename }"}] * 10)
    return isinstance(response.json(), list)


async def directives(client: AsyncClient) -> bool:
    answer = await posted(client, "{ __typename" + " @aa" * 10 + " }")
    return len(answer["errors"]) >= 10


async def circular_introspection(client: AsyncClient) -> bool:
    return "data" in await posted(client, CIRCLE)


async def mutation_by_get(client: AsyncClient) -> bool:
    response = await client.get("/graphql", params={"query": "mutation { __typename }"})
    return "data" in response.json()


async def form(client: AsyncClient) -> bool:
    answers = [
        await client.post("/graphql", params={"query": "{ __typename }"}),
        await client.post("/graphql", data={"query": "{ __typename }"}),
    ]
    return any("data" in response.json() for response in answers)


async def query_by_get(client: AsyncClient) -> bool:
    response = await client.get("/graphql", params={"query": "{ __typename }"})
    return "data" in response.json()


async def the_same_field(client: AsyncClient) -> bool:
    return "data" in await posted(client, "{" + " __typename" * 500 + " }")


async def suggestions(client: AsyncClient) -> bool:
    wrong = ("{ __schema { directive } }", "{ viewr { role } }", "{ viewer { rol } }")
    return "Did you mean" in str([await posted(client, query) for query in wrong])


async def explorer(client: AsyncClient) -> bool:
    shown = [(await client.get(page, headers={"Accept": "text/html"})).text.lower() for page in PAGES]
    return any(word in page for page in shown for word in ("graphiql", "playground"))


async def introspection(client: AsyncClient) -> bool:
    return "data" in await posted(client, "{ __schema { types { name fields { name } } } }")


async def tracing(client: AsyncClient) -> bool:
    answer = await posted(client, "{ __typename }")
    return "tracing" in answer["extensions"] or "stacktrace" in str(answer).lower()


async def exceptions(client: AsyncClient) -> bool:
    [error] = (await posted(client, "qwerty cop { abc }"))["errors"]
    return "exception" in error["extensions"] or "traceback" in str(error).lower()


CHECKS = (
    aliases, batches, directives, circular_introspection, mutation_by_get, form, query_by_get, the_same_field,
    suggestions, explorer, introspection, tracing, exceptions,
)  # fmt: skip

# A page of another site may send one, but not sign in: a browser has no sign-in of its own to carry along.
# GraphiQL is a file that shows nothing without a token, and a schema only to those who may explore it.
ON_PURPOSE = {query_by_get} | ({explorer} if pages.are_built() else set())


async def found(client: AsyncClient) -> set[Callable[[AsyncClient], Awaitable[bool]]]:
    return {check for check in CHECKS if await check(client)}


@pytest.mark.parametrize("role", [None, Role.ENGINEER, Role.AUDITOR])
async def test_in_production_it_finds_what_is_there_on_purpose(serve, tokens, role):
    api = await serve(production=True)
    act_as(api, tokens, role)
    assert await found(api.client) == ON_PURPOSE


async def test_it_would_find_what_is_open(ask):
    """In development the schema is, so the checks see what they look for."""
    assert await found(ask.client) == ON_PURPOSE | {introspection, suggestions}
