"""Server-sent events in the distinct connections mode of graphql-sse."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.graphql.admission.limits import Limits
from app.graphql.transport import sse
from tests.apps import make_app
from tests.factories import DISPATCHER
from tests.serving import serving
from tests.websocket_client import PATIENCE_S, as_dispatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.serving import Served

FOLLOW = "subscription { assignmentEvents { cursor type assignment { id } ticket { id } } }"
EVENTS = {"Accept": "text/event-stream"}


class Stream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def hear(self) -> tuple[str, Any]:
        """The next event's name and data; a comment is an event without a name."""
        lines = []
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if not line:
                    break
                lines.append(line)
        name, _, data = "\n".join(lines).removeprefix("event: ").partition("\ndata:")
        return name, orjson.loads(data) if data.strip() else None


@asynccontextmanager
async def streaming(
    served: Served, query: str, *, method: str = "POST", **headers: str
) -> AsyncIterator[Stream]:
    sent = as_dispatcher() | EVENTS | headers
    given: dict[str, Any] = {"json": {"query": query}} if method == "POST" else {"params": {"query": query}}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as client,
        client.stream(method, served.url, headers=sent, **given) as response,
    ):
        yield Stream(response)


async def _accepted(db: Any, held: Any) -> None:
    await asyncio.sleep(0.5)  # a subscription begins some time after it was asked for
    await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("accept", ["text/event-stream", "application/json, text/event-stream"])
async def test_a_subscription_is_told_as_events(served, db, make, method, accept):
    held = await make.assigned()
    async with streaming(served, FOLLOW, method=method, Accept=accept) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        await _accepted(db, held)
        types = []
        while "accepted" not in types:
            name, body = await stream.hear()
            event = body["data"]["assignmentEvents"]
            assert name == "next"
            assert event["ticket"] == {"id": held.ticket_id}
            types.append(event["type"])


async def test_a_subscription_is_paid_for_once_also_by_who_takes_json_too(shared_url):
    left = []
    for accept in ("text/event-stream", "application/json, text/event-stream"):
        app = make_app(shared_url, limits=Limits(refill_per_s=1))
        async with serving(app) as served:
            async with streaming(served, FOLLOW, Accept=accept) as stream:
                assert stream.response.status_code == 200
            async with streaming(served, "{ __typename }") as stream:
                left.append((await stream.hear())[1]["extensions"]["cost"]["remaining"])
    # It costs ten; a second gives one back.
    assert left[0] == pytest.approx(left[1], abs=2)


@pytest.mark.parametrize("query", ["{ __typename }", "{ viewer { role } }"])
async def test_a_query_is_one_event_and_the_end(served, query):
    async with streaming(served, query) as stream:
        assert (await stream.hear())[0] == "next"
        assert await stream.hear() == ("complete", None)


@pytest.mark.parametrize("query", ["{", "{ nope }", "subscription { nope }"])
async def test_what_is_wrong_with_an_operation_is_told_in_the_stream(served, query):
    async with streaming(served, query) as stream:
        name, body = await stream.hear()
        assert (name, body["errors"][0]["extensions"]["code"]) == ("next", "BAD_USER_INPUT")
        assert await stream.hear() == ("complete", None)


async def test_who_takes_json_too_gets_json_for_a_query(served):
    async with streaming(served, "{ __typename }", Accept="application/json, text/event-stream") as stream:
        assert stream.response.headers["content-type"].startswith("application/json")


async def test_a_mutation_is_no_get(served, make):
    held = await make.assigned()
    command = f'mutation {{ acceptAssignment(input: {{assignmentId: "{held.id}"}}) {{ __typename }} }}'
    async with streaming(served, command, method="GET") as stream:
        _, body = await stream.hear()
        assert "data" not in body


async def test_a_silent_stream_says_that_it_lives(monkeypatch, served):
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    async with streaming(served, FOLLOW) as stream:
        assert [await stream.hear(), await stream.hear()] == [(":", None)] * 2


async def test_who_leaves_takes_the_subscription_along(served):
    before = asyncio.all_tasks()
    async with streaming(served, FOLLOW):
        await asyncio.sleep(0.1)
    # Those of the connection and of the stream; one of the client's may be among them.
    left = asyncio.all_tasks() - before
    assert not left or (await asyncio.wait(left, timeout=10))[1] == set()


async def test_one_subject_has_so_many_streams_and_no_more(shared_url):
    async with AsyncExitStack() as until_done:
        app = make_app(shared_url, limits=Limits(streams=2))
        served = await until_done.enter_async_context(serving(app))
        for _ in range(2):
            await until_done.enter_async_context(streaming(served, FOLLOW))
        async with streaming(served, FOLLOW) as third:
            assert third.response.status_code == 429
            body = orjson.loads(await third.response.aread())
            assert body["errors"][0]["extensions"]["code"] == "TOO_MANY_STREAMS"
