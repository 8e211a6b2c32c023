"""Whatever Schemathesis makes of the schema: every answer is data or a refusal, never a fault.

`make soak` runs it; EXAMPLES says how many requests for each root field.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = int(os.environ.get("EXAMPLES", "50"))
REFUSED = {"BAD_USER_INPUT", "QUERY_TOO_LARGE", "RATE_LIMITED"}

schemathesis.graphql.scalar("Decimal", st.decimals(-1, 1100, places=2).map(str).map(nodes.String))
schemathesis.graphql.scalar("DateTime", st.datetimes().map(lambda at: nodes.String(f"{at.isoformat()}Z")))
api = schemathesis.graphql.from_path(SCHEMA_GRAPHQL)


class WithRealIds(Visitor):
    """Puts ids of rows that are there into every other place for one: made-up ids lead nowhere."""

    def __init__(self, ids: dict[str, list[str]]) -> None:
        super().__init__()
        self.ids = ids
        self.turn = 0

    def enter(self, node: Any, *_: Any) -> Any:
        if not isinstance(node, ArgumentNode | ObjectFieldNode) or not isinstance(
            node.value, StringValueNode
        ):
            return None
        known = self.ids.get(node.name.value)
        self.turn += 1
        if not known or self.turn % 2 == 0:
            return None
        real = known[hash_command(node.value.value) % len(known)]
        return type(node)(name=node.name, value=StringValueNode(value=real))


def hash_command(text: str) -> int:
    return sum(map(ord, text))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="baton-soak-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as somebody else
        with started(home) as running:
            yield running


@pytest.fixture(scope="module")
def tokens(running: Running) -> list[str]:
    return [running.token("--role", role) for role in ("admin", "dispatcher")]


@pytest.fixture(scope="module")
def ids(running: Running, tokens: list[str]) -> dict[str, list[str]]:
    query = "{ tickets(first: 40) { nodes { id currentAssignment { id } } } engineers { nodes { id } } }"
    found = httpx.post(
        f"{running.url}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {tokens[0]}"}
    ).json()["data"]
    tickets = [node["id"] for node in found["tickets"]["nodes"]]
    held = [n["currentAssignment"]["id"] for n in found["tickets"]["nodes"] if n["currentAssignment"]]
    engineers = [node["id"] for node in found["engineers"]["nodes"]]
    return {
        "id": tickets + held + engineers,
        "ticketId": tickets,
        "assignmentId": held,
        "engineerId": engineers,
        "nextEngineerId": engineers,
    }


@pytest.fixture(scope="module")
def said() -> Iterator[Counter[str]]:
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
def test_every_answer_is_data_or_a_refusal(case, running, tokens, ids, said):
    query = graphql.print_ast(graphql.visit(graphql.parse(case.body), WithRealIds(ids)))
    token = tokens[hash_command(query) % len(tokens)]
    response = httpx.post(
        f"{running.url}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"}
    )
    assert response.status_code == 200, query
    body = response.json()
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    assert codes <= REFUSED, (query, body)
    said.update(codes or {"data"})
    for value in (body.get("data") or {}).values():
        if isinstance(value, dict) and "code" in value:
            said[value["code"]] += 1
