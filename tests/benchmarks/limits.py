"""What the limits cost honest clients: the same requests with and without them, in turns.

Of operations that the server knows, where only the charge is left, and of new ones.

python -m tests.benchmarks.limits [--rounds 15] [--requests 40]
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, specified_rules, validate

from app.batch_scheduler import BatchScheduler
from app.db.pool import Database, open_database
from app.demo import load
from app.events import Feed
from app.graphql.admission.document_cache import CachedDocument, OperationCost
from app.graphql.admission.limits import Limits
from app.graphql.admission.operation import Operation
from app.graphql.admission.policy import OperationPolicy
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.graphql.context import Context
from app.graphql.pipeline import OperationPipeline
from app.graphql.transport.http import GraphQLHttpEndpoint
from app.graphql.transport.stream_limit import StreamLimit
from app.http.auth.tokens import DevelopmentTokens
from tests.benchmarks.shared import table
from tests.databases import migrate_whole, new_server
from tests.factories import DISPATCHER

Ask = Callable[[], Awaitable[None]]

TICKETS = 300
OPERATIONS = {
    "one field": "{ viewer { role } }",
    "one ticket": """{ tickets(first: 1) { nodes { id ticketNumber status priority customerName
        currentAssignment { status assignmentTier engineer { id name } } } } }""",
    "a screen of 50 tickets": """{ tickets(first: 50) { nodes { ...Row } pageInfo { endCursor } } }
        fragment Row on Ticket { id ticketNumber status priority customerName issueCategory createdAt
        currentAssignment { ...Fields } equipment { id name } }
        fragment Fields on Assignment { id status assignmentTier assignedAt engineer { id name level } }""",
    "50 tickets with their histories": """{ tickets(first: 50) { nodes { id status
        assignmentHistory { id status assignmentTier assignedAt completedAt engineer { id name } } } } }""",
}
UNBOUNDED = Limits(
    bucket=10**12, refill_per_s=10**12
)  # nobody waits: a wait would be no cost of the counting


class UnlimitedPolicy(OperationPolicy):
    """Parses and validates like graphql-core, and measures and charges nothing."""

    requested_fields: dict[str, frozenset[str]]
    """By document without its comment: computed once, so that they cost nothing."""

    def _measure(
        self, document: CachedDocument, definition: OperationDefinitionNode, pages: dict[str, int]
    ) -> OperationCost:
        text = document.text.partition("#")[0]
        if text not in self.requested_fields:
            super()._measure(document, definition, pages)
            self.requested_fields[text] = document.requested_fields
        document.requested_fields = self.requested_fields[text]
        return OperationCost(0, 1)

    def _charge(self, operation: Operation) -> None:
        pass

    def _validation_errors(self, document: DocumentNode, *, hides_schema: bool) -> list[GraphQLError]:  # noqa: ARG002 - as in the base
        return validate(self._schema, document, specified_rules)


def without_limits() -> OperationPipeline:
    pipeline = OperationPipeline(UNBOUNDED, production=False)
    policy = UnlimitedPolicy(pipeline._schema, UNBOUNDED, production=False, documents=TrustedDocuments())
    policy.requested_fields = {}
    pipeline._policy = policy
    return pipeline


def asking(pipeline: OperationPipeline, db: Database, query: str, *, new: bool) -> Ask:
    """Call the endpoint directly: the time of sockets and tokens would only hide the difference."""
    feed, batch_scheduler = Feed(""), BatchScheduler()  # the feed does not run

    def new_context(*_: object) -> Context:
        return Context(db, feed, batch_scheduler, DISPATCHER, "127.0.0.1")

    streams = StreamLimit(UNBOUNDED.streams, db.metrics)
    view = GraphQLHttpEndpoint(pipeline, DevelopmentTokens(""), new_context, streams)
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
    pipelines = (OperationPipeline(UNBOUNDED, production=False), without_limits())
    async with open_database(url, pool_size=4) as db:
        await load.seed(db, tickets=TICKETS, progress=lambda _: None)
        rows = []
        for name, query in OPERATIONS.items():
            for new in (False, True):
                asks = [asking(pipeline, db, query, new=new) for pipeline in pipelines]
                await medians(asks, requests)  # warm
                times = [await medians(asks, requests) for _ in range(rounds)]
                limited, free = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
                low, median, high = statistics.quantiles([a / b for a, b in times], n=4)
                ratio = f"{median:.3f} ({low:.3f} to {high:.3f})"
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
