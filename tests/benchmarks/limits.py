"""What the limits cost honest clients: the same requests with and without them, in turns.

Of operations that the server knows, where only the charge is left, and of new ones.

python -m tests.benchmarks.limits [--rounds 15] [--requests 40]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from graphql import specified_rules, validate

from app.db.pool import open_database
from app.demo import load
from app.events import Feed
from app.graphql.admission.document_cache import CachedDocument, Cost
from app.graphql.admission.limits import Limits
from app.graphql.admission.policy import OperationPolicy
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.graphql.batching.event_cache import EventResultCache
from app.graphql.batching.scheduler import BatchScheduler
from app.graphql.context import Context
from app.graphql.schema import build_schema
from app.graphql.transport.http import GraphQLHttpEndpoint
from app.graphql.transport.stream_limit import StreamLimit
from tests.benchmarks.shared import table
from tests.databases import migrate_whole, new_server
from tests.factories import DISPATCHER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
    from strawberry.types import ExecutionContext

    from app.db.pool import Database
    from app.graphql.schema import Schema

    Ask = Callable[[], Awaitable[None]]

TICKETS = 300
OPERATIONS = {
    "one field": "{ viewer { role } }",
    "one ticket": """{ tickets(first: 1) { nodes { id ticketNumber status priority customerName
        currentAssignment { status assignmentTier engineer { id name } } } } }""",
    "a screen of 50 tickets": """{ tickets(first: 50) { nodes { ...Row } pageInfo { endCursor } } }
        fragment Row on Ticket { id ticketNumber status priority customerName issueCategory createdAt
        currentAssignment { ...Turn } equipment { id name } }
        fragment Turn on Assignment { id status assignmentTier assignedAt engineer { id name level } }""",
    "50 tickets with their histories": """{ tickets(first: 50) { nodes { id status
        assignmentHistory { id status assignmentTier assignedAt completedAt engineer { id name } } } } }""",
}
UNBOUNDED = Limits(
    bucket=10**12, refill_per_s=10**12
)  # nobody waits: a wait would be no cost of the counting


class NoGuard(OperationPolicy):
    """Parses and validates as GraphQL itself does, and counts nothing."""

    asked: dict[str, frozenset[str]]
    """By operation: known from the second time on, so that it takes no time."""

    def _measure(
        self, known: CachedDocument, runs: OperationDefinitionNode | None, pages: dict[str, int]
    ) -> Cost:
        assert known.document.loc
        text = known.document.loc.source.body.partition("#")[0]
        if text not in self.asked:
            super()._measure(known, runs, pages)
            self.asked[text] = known.asked
        known.asked = self.asked[text]
        return Cost(0, 1)

    def _charge(self, operation: ExecutionContext, cost: int) -> None:
        pass

    def _mistakes(self, document: DocumentNode, *, closed: bool) -> list[GraphQLError]:  # noqa: ARG002 - the guard's
        return validate(self._schema, document, specified_rules)


def without_limits() -> Schema:
    schema = build_schema(UNBOUNDED, production=False)
    schema.policy = NoGuard(schema._schema, UNBOUNDED, production=False, documents=TrustedDocuments())
    schema.policy.asked = {}
    return schema


def asking(schema: Schema, db: Database, query: str, *, new: bool) -> Ask:
    """Straight into the view: what a client, a socket or a token takes would only hide the difference."""
    feed, shared, gathering = Feed(""), EventResultCache(), BatchScheduler()  # nothing is followed

    def new_context(*_: object) -> Context:
        return Context(db, feed, shared, gathering, DISPATCHER, "127.0.0.1")

    view = GraphQLHttpEndpoint(schema, new_context, StreamLimit(UNBOUNDED.streams, db.metrics))
    number = count()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"content-type", b"application/json")],
        "user": SimpleNamespace(),
    }

    async def ask() -> None:
        body = json.dumps({"query": f"{query} # {next(number) if new else 0}"}).encode()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                assert b'"errors"' not in message["body"], message["body"]

        await view(dict(scope), receive, send)

    return ask


async def medians(asks: Sequence[Ask], times: int) -> list[float]:
    """Of the seconds that a request takes of this process: the database's are no cost of the counting.

    The sides take turns request by request, and at going first: whatever else happens hits them alike.
    """
    took: list[list[float]] = [[] for _ in asks]
    turns = list(zip(asks, took, strict=True))
    for _ in range(times):
        turns.reverse()
        for ask, column in turns:
            started = time.process_time()
            await ask()
            column.append(time.process_time() - started)
    return [statistics.median(column) for column in took]


async def compare(url: str, rounds: int, requests: int) -> None:
    await migrate_whole(url)
    schemas = (build_schema(UNBOUNDED, production=False), without_limits())
    async with open_database(url, pool_size=4) as db:
        await load.seed(db, tickets=TICKETS, progress=lambda _: None)
        rows = []
        for name, query in OPERATIONS.items():
            for new in (False, True):
                asks = [asking(schema, db, query, new=new) for schema in schemas]
                await medians(asks, requests)  # warm
                times = [await medians(asks, requests) for _ in range(rounds)]
                limited, free = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
                low, median_and_range, high = statistics.quantiles([a / b for a, b in times], n=4)
                ratio = f"{median_and_range:.3f} ({low:.3f} to {high:.3f})"
                rows.append((f"{name}, {'new' if new else 'known'}", f"{limited:.2f}", f"{free:.2f}", ratio))
        head = ("", "CPU ms with", "without", f"ratio, middle half of {rounds} rounds")
        table("What the limits cost", head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=40, help="of each side in each round")
    options = parser.parse_args()
    with new_server() as url:
        asyncio.run(compare(url, options.rounds, options.requests))


if __name__ == "__main__":
    main()
