"""The checks of graphql-cop, a security scanner for GraphQL servers.

They are reimplemented here because the package of that name on PyPI is empty.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient

from app.domain.model import Role
from app.http.routes import pages
from tests.graphql.conftest import act_as

CYCLE = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } }"
PAGES = ("/graphiql", "/playground", "/console", "/graphql", "/")


async def post(client: AsyncClient, query: str) -> Any:
    return (await client.post("/graphql", json={"query": query})).json()


async def aliases(client: AsyncClient) -> bool:
    many = " ".join(f"alias{i}: __typename" for i in range(101))
    return "data" in await post(client, f"{{ {many} }}")


async def batches(client: AsyncClient) -> bool:
    response = await client.post("/graphql", json=[{"query": "{ __typename }"}] * 10)
    return isinstance(response.json(), list)


async def directives(client: AsyncClient) -> bool:
    answer = await post(client, "{ __typename" + " @aa" * 10 + " }")
    return len(answer["errors"]) >= 10


async def circular_introspection(client: AsyncClient) -> bool:
    return "data" in await post(client, CYCLE)


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
    return "data" in await post(client, "{" + " __typename" * 500 + " }")


async def suggestions(client: AsyncClient) -> bool:
    misspelt = ("{ __schema { directive } }", "{ viewr { role } }", "{ viewer { rol } }")
    return "Did you mean" in str([await post(client, query) for query in misspelt])


async def explorer(client: AsyncClient) -> bool:
    html = [(await client.get(page, headers={"Accept": "text/html"})).text.lower() for page in PAGES]
    return any(word in page for page in html for word in ("graphiql", "playground"))


async def introspection(client: AsyncClient) -> bool:
    return "data" in await post(client, "{ __schema { types { name fields { name } } } }")


async def tracing(client: AsyncClient) -> bool:
    answer = await post(client, "{ __typename }")
    return "tracing" in answer["extensions"] or "stacktrace" in str(answer).lower()


async def exceptions(client: AsyncClient) -> bool:
    [error] = (await post(client, "qwerty cop { abc }"))["errors"]
    return "exception" in error["extensions"] or "traceback" in str(error).lower()


CHECKS = (
    aliases, batches, directives, circular_introspection, mutation_by_get, form, query_by_get, the_same_field,
    suggestions, explorer, introspection, tracing, exceptions,
)  # fmt: skip

# Another site can make a browser send a GET, but not with a token, as there are no cookies. GraphiQL is a
# static page that shows nothing without a token, and the schema only to roles that may explore it.
INTENDED = {query_by_get} | ({explorer} if pages.are_built() else set())


async def scan(client: AsyncClient) -> set[Callable[[AsyncClient], Awaitable[bool]]]:
    return {check for check in CHECKS if await check(client)}


@pytest.mark.parametrize("role", [None, Role.ENGINEER, Role.AUDITOR])
async def test_production_has_only_intended_findings(serve, tokens, role):
    api = await serve(production=True)
    act_as(api, tokens, role)
    assert await scan(api.client) == INTENDED


async def test_development_has_the_expected_findings(ask):
    """Shows that the checks can fail: development has introspection and suggestions."""
    assert await scan(ask.client) == INTENDED | {introspection, suggestions}
