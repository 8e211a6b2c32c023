"""Schemathesis generates requests from the schema: every response is data or a refusal, never a fault.

Run by `make soak`; EXAMPLES is the number of requests per root field.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphql
import httpx
import pytest
import schemathesis
from graphql import ArgumentNode, ObjectFieldNode, StringValueNode, Visitor
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from tests.e2e.test_server import Running, started
from tests.snapshots import SCHEMA_GRAPHQL

EXAMPLES = int(os.environ.get("EXAMPLES", "50"))
EXPECTED_CODES = {"BAD_USER_INPUT", "FORBIDDEN", "QUERY_TOO_LARGE", "RATE_LIMITED"}

schemathesis.graphql.scalar("Decimal", st.decimals(-1, 1100, places=2).map(str).map(nodes.String))
schemathesis.graphql.scalar("DateTime", st.datetimes().map(lambda at: nodes.String(f"{at.isoformat()}Z")))
api = schemathesis.graphql.from_path(SCHEMA_GRAPHQL)


class RealIdVisitor(Visitor):
    """Replaces every other id by that of an existing row: generated ids match nothing."""

    def __init__(self, ids: dict[str, list[str]]) -> None:
        super().__init__()
        self.ids = ids
        self.count = 0

    def enter(self, node: Any, *_: Any) -> Any:
        if not isinstance(node, ArgumentNode | ObjectFieldNode) or not isinstance(
            node.value, StringValueNode
        ):
            return None
        real_ids = self.ids.get(node.name.value)
        self.count += 1
        if not real_ids or self.count % 2 == 0:
            return None
        real = real_ids[stable_hash(node.value.value) % len(real_ids)]
        return type(node)(name=node.name, value=StringValueNode(value=real))


def stable_hash(text: str) -> int:
    return sum(map(ord, text))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="baton-soak-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        with started(home) as running:
            yield running


@pytest.fixture(scope="module")
def tokens(running: Running) -> list[str]:
    return [running.token("--role", role) for role in ("admin", "dispatcher")]


@pytest.fixture(scope="module")
def ids(running: Running, tokens: list[str]) -> dict[str, list[str]]:
    query = "{ tickets(first: 40) { nodes { id currentAssignment { id } } } engineers { nodes { id } } }"
    data = httpx.post(
        f"{running.url}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {tokens[0]}"}
    ).json()["data"]
    tickets = [node["id"] for node in data["tickets"]["nodes"]]
    assignments = [n["currentAssignment"]["id"] for n in data["tickets"]["nodes"] if n["currentAssignment"]]
    engineers = [node["id"] for node in data["engineers"]["nodes"]]
    return {
        "id": tickets + assignments + engineers,
        "ticketId": tickets,
        "assignmentId": assignments,
        "engineerId": engineers,
        "nextEngineerId": engineers,
    }


@pytest.fixture(scope="module")
def codes_seen() -> Iterator[Counter[str]]:
    counter: Counter[str] = Counter()
    yield counter
    print("\n", dict(counter.most_common()))  # noqa: T201 - for -s


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_response_is_data_or_a_refusal(case, running, tokens, ids, codes_seen):
    query = graphql.print_ast(graphql.visit(graphql.parse(case.body), RealIdVisitor(ids)))
    token = tokens[stable_hash(query) % len(tokens)]
    response = httpx.post(
        f"{running.url}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"}
    )
    assert response.status_code == 200, query
    body = response.json()
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    assert codes <= EXPECTED_CODES, (query, body)
    codes_seen.update(codes or {"data"})
    for value in (body.get("data") or {}).values():
        if isinstance(value, dict) and "code" in value:
            codes_seen[value["code"]] += 1
