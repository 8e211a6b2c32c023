"""The checks of graphql-cop, a security scanner for GraphQL servers.

They are reimplemented here because the package of that name on PyPI is empty.
"""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.domain.model import Role
from app.http.routes import pages
from tests.graphql.conftest import act_as

TYPENAME = "{ __typename }"
MISSPELT = ("{ __schema { directive } }", "{ viewr { role } }", "{ viewer { rol } }")
PAGES = ("/graphiql", "/playground", "/console", "/graphql", "/")


def request(method: str, **options: Any) -> dict[str, Any]:
    return {"method": method, "url": "/graphql", **options}


def post(query: str) -> dict[str, Any]:
    return request("POST", json={"query": query})


def has_data(response: Response) -> bool:
    return "data" in response.json()


CHECKS: dict[str, tuple[Any, ...]] = {
    "aliases": (has_data, post("{ " + " ".join(f"alias{i}: __typename" for i in range(101)) + " }")),
    "batches": (lambda r: isinstance(r.json(), list), request("POST", json=[{"query": TYPENAME}] * 10)),
    "directives": (lambda r: len(r.json()["errors"]) >= 10, post("{ __typename" + " @aa" * 10 + " }")),
    "circular introspection": (
        has_data,
        post("{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } }"),
    ),
    "mutation by GET": (has_data, request("GET", params={"query": "mutation { __typename }"})),
    "form": (
        has_data,
        request("POST", params={"query": TYPENAME}),
        request("POST", data={"query": TYPENAME}),
    ),
    "query by GET": (has_data, request("GET", params={"query": TYPENAME})),
    "the same field": (has_data, post("{" + " __typename" * 500 + " }")),
    "suggestions": (lambda r: "Did you mean" in r.text, *map(post, MISSPELT)),
    "explorer": (
        lambda r: any(word in r.text.lower() for word in ("graphiql", "playground")),
        *(request("GET", headers={"Accept": "text/html"}) | {"url": page} for page in PAGES),
    ),
    "introspection": (has_data, post("{ __schema { types { name fields { name } } } }")),
    "tracing": (
        lambda r: "tracing" in r.json()["extensions"] or "stacktrace" in r.text.lower(),
        post(TYPENAME),
    ),
    "exceptions": (
        lambda r: "exception" in r.json()["errors"][0]["extensions"] or "traceback" in r.text.lower(),
        post("qwerty cop { abc }"),
    ),
}
"""By name: whether a response is a finding, and the requests."""

# Another site can make a browser send a GET, but not with a token, as there are no cookies. GraphiQL is a
# static page that shows nothing without a token, and the schema only to roles that may explore it.
INTENDED = {"query by GET"} | ({"explorer"} if pages.are_built() else set())


async def scan(client: AsyncClient) -> set[str]:
    return {
        name
        for name, (is_finding, *requests) in CHECKS.items()
        if any([is_finding(await client.request(**each)) for each in requests])
    }


@pytest.mark.parametrize("role", [None, Role.ENGINEER, Role.AUDITOR])
async def test_production_has_only_intended_findings(serve, tokens, role):
    api = await serve(production=True)
    act_as(api, tokens, role)
    assert await scan(api.client) == INTENDED


async def test_development_has_the_expected_findings(ask):
    """Shows that the checks can fail: development has introspection and suggestions."""
    assert await scan(ask.client) == INTENDED | {"introspection", "suggestions"}
