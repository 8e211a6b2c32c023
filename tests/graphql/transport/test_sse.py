"""Server-sent events in the distinct connections mode of graphql-sse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from app.graphql.admission.limits import Limits
from app.graphql.transport import sse
from app.http.auth import tokens
from tests.apps import SECRET, WithdrawnKey, authorization, make_app
from tests.commands.world import World
from tests.serving import Served, serving
from tests.websocket_client import PATIENCE_S

FOLLOW = "subscription { assignmentEvents { cursor type assignment { id } ticket { id } } }"
EVENTS = {"Accept": "text/event-stream"}


class Stream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def receive(self) -> tuple[str, Any]:
        """Return the name and data of the next event; a comment has no name."""
        lines = []
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if not line:
                    break
                lines.append(line)
            else:
                pytest.fail(f"the stream ended: {lines}")
        name, _, data = "\n".join(lines).removeprefix("event: ").partition("\ndata:")
        return name, orjson.loads(data) if data.strip() else None


@asynccontextmanager
async def streaming(
    served: Served, query: str, *, method: str = "POST", **headers: str
) -> AsyncIterator[Stream]:
    request: dict[str, Any] = {"json": {"query": query}} if method == "POST" else {"params": {"query": query}}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as client,
        client.stream(method, served.url, headers=authorization() | EVENTS | headers, **request) as response,
    ):
        yield Stream(response)


async def accept_soon(db: Any, assignment: Any) -> None:
    await asyncio.sleep(0.5)  # until the subscription has started
    await World(db).act("accept", assignment)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("accept", ["text/event-stream", "application/json, text/event-stream"])
async def test_a_subscription_is_sent_as_events(served, db, make, method, accept):
    assignment = await make.assigned()
    async with streaming(served, FOLLOW, method=method, Accept=accept) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        await accept_soon(db, assignment)
        types = []
        while "accepted" not in types:
            name, body = await stream.receive()
            event = body["data"]["assignmentEvents"]
            assert name == "next"
            assert event["ticket"] == {"id": assignment.ticket_id}
            types.append(event["type"])


async def test_a_subscription_is_charged_once_if_json_is_accepted_too(shared_url):
    remaining = []
    for accept in ("text/event-stream", "application/json, text/event-stream"):
        app = make_app(shared_url, limits=Limits(refill_per_s=1))
        async with serving(app) as served:
            async with streaming(served, FOLLOW, Accept=accept) as stream:
                assert stream.response.status_code == 200
            async with streaming(served, "{ __typename }") as stream:
                remaining.append((await stream.receive())[1]["extensions"]["cost"]["remaining"])
    # It costs ten points; one is refilled per second.
    assert remaining[0] == pytest.approx(remaining[1], abs=2)


async def test_each_event_is_charged(shared_url, make):
    app = make_app(shared_url, limits=Limits(refill_per_s=0.001))
    async with serving(app) as served:
        await served.until_feed_runs()
        for events in (1, 3):  # at first, the plan is charged, too
            async with streaming(served, FOLLOW) as stream:
                await asyncio.sleep(0.5)  # until the subscription has started
                for _ in range(events):
                    await make.assigned()
                costs = [(await stream.receive())[1]["extensions"]["cost"] for _ in range(events)]
        async with streaming(served, "{ __typename }") as stream:
            probe = (await stream.receive())[1]["extensions"]["cost"]
    assert costs[0]["remaining"] - probe["remaining"] == 3 * costs[0]["requested"] + probe["requested"]


@pytest.mark.parametrize("query", ["{ __typename }", "{ viewer { role } }"])
async def test_a_query_is_one_event_and_complete(served, query):
    async with streaming(served, query) as stream:
        assert (await stream.receive())[0] == "next"
        assert await stream.receive() == ("complete", None)


@pytest.mark.parametrize(
    "query", ["{", "{ nope }", "subscription { nope }", "fragment F on Query { viewer { role } }"]
)
async def test_request_errors_are_sent_in_the_stream(served, query):
    async with streaming(served, query) as stream:
        name, body = await stream.receive()
        assert (name, body["errors"][0]["extensions"]["code"]) == ("next", "BAD_USER_INPUT")
        assert await stream.receive() == ("complete", None)


async def test_an_unknown_operation_name_is_a_request_error(served):
    request = {"query": "query A { __typename }", "operationName": "B"}
    async with httpx.AsyncClient() as client:
        response = await client.post(served.url, json=request, headers=authorization() | EVENTS)
    assert '"BAD_USER_INPUT"' in response.text
    assert response.text.endswith("event: complete\ndata:\n\n")


async def test_a_query_is_json_if_json_is_accepted_too(served):
    async with streaming(served, "{ __typename }", Accept="application/json, text/event-stream") as stream:
        assert stream.response.headers["content-type"].startswith("application/json")


async def test_a_mutation_by_get_is_405(served, make):
    assignment = await make.assigned()
    mutation = f'mutation {{ acceptAssignment(input: {{assignmentId: "{assignment.id}"}}) {{ __typename }} }}'
    async with streaming(served, mutation, method="GET") as stream:
        assert (stream.response.status_code, stream.response.headers["Allow"]) == (405, "POST")
        body = orjson.loads(await stream.response.aread())
        assert body["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


async def test_a_silent_stream_sends_heartbeats(monkeypatch, served):
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    async with streaming(served, FOLLOW) as stream:
        assert [await stream.receive(), await stream.receive()] == [(":", None)] * 2


async def test_an_expired_token_ends_the_stream(monkeypatch, served):
    monkeypatch.setattr(tokens, "LEEWAY_S", 0)
    async with streaming(served, FOLLOW, **authorization(ttl_s=3)) as stream:
        await ends_with(stream, "The token has expired; sign in again.")


async def test_a_withdrawn_key_ends_the_stream(monkeypatch, shared_url):
    monkeypatch.setattr(tokens, "RECHECK_S", 0.1)
    app = make_app(shared_url, authenticator=WithdrawnKey(SECRET))
    async with serving(app) as served, streaming(served, FOLLOW) as stream:
        await ends_with(stream, "The token is no longer valid; sign in again.")


async def ends_with(stream: Stream, message: str) -> None:
    """Read the stream to its end, which the server closes."""
    events = []
    async with asyncio.timeout(PATIENCE_S):
        while not events or events[-1][0] != "complete":
            events.append(await stream.receive())
    error = events[-2][1]["errors"][0]
    assert (error["message"], error["extensions"]["code"]) == (message, "UNAUTHENTICATED")


async def test_a_disconnect_ends_the_subscription(served):
    before = asyncio.all_tasks()
    async with streaming(served, FOLLOW):
        await asyncio.sleep(0.1)
    tasks = asyncio.all_tasks() - before
    assert not tasks or (await asyncio.wait(tasks, timeout=10))[1] == set()


async def test_the_streams_of_a_subject_are_limited(shared_url):
    async with AsyncExitStack() as stack:
        app = make_app(shared_url, limits=Limits(streams=2))
        served = await stack.enter_async_context(serving(app))
        for _ in range(2):
            await stack.enter_async_context(streaming(served, FOLLOW))
        async with streaming(served, FOLLOW) as third:
            assert third.response.status_code == 429
            body = orjson.loads(await third.response.aread())
            assert body["errors"][0]["extensions"]["code"] == "TOO_MANY_STREAMS"
