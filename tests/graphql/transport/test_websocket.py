"""The protocol graphql-transport-ws, as specified in PROTOCOL.md of graphql-ws."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from app.domain.model import Role
from app.graphql.admission.limits import Limits
from app.graphql.transport import websocket
from app.http.auth import tokens
from app.http.auth.jwks import KeysUnavailable
from app.http.auth.tokens import DevelopmentTokens, VerifiedToken
from tests.apps import SECRET, WithdrawnKey, authorization, make_app
from tests.commands.world import World
from tests.databases import capture_statements
from tests.serving import serving
from tests.websocket_client import WebSocketClient, open_websocket, subscribe

TYPENAME = "{ __typename }"
FOLLOW = "subscription { assignmentEvents { type actor assignment { id } ticket { id } } }"
DEEP = "[" * 30_000 + "]" * 30_000
INIT = {"type": "connection_init"}


@pytest.fixture
async def ws(db, served) -> AsyncIterator[WebSocketClient]:
    async with open_websocket(served.port) as ws:
        yield ws


@pytest.fixture
async def serve(db, shared_url) -> AsyncIterator[Callable[..., Any]]:
    """Starts servers with their own limits."""
    async with AsyncExitStack() as stack:

        async def start(authenticator: Any = None, **limits: Any) -> Any:
            app = make_app(
                shared_url,
                authenticator=authenticator or DevelopmentTokens(SECRET),
                database_pool_size=4,
                limits=Limits(**limits),
            )
            served = await stack.enter_async_context(serving(app))
            await served.until_feed_runs()
            return served

        yield start


# Before the connection is acknowledged


async def test_the_subprotocol_is_selected(served):
    async with open_websocket(served.port, protocols=("other", "graphql-transport-ws")) as ws:
        assert ws.socket.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("nonsense",), ()], ids=str)
async def test_other_subprotocols_are_refused(served, protocols):
    async with open_websocket(served.port, protocols=protocols, signed_in=False) as ws:
        assert (await ws.closed())[0] == 4406


@pytest.mark.parametrize(
    "payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"else": 1}}], ids=str
)
async def test_a_connection_without_a_token_is_anonymous(served, payload):
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send(INIT | payload)
        assert await ws.receive() == {"type": "connection_ack"}
        await ws.send(subscribe("1", FOLLOW))
        answer = await ws.receive()
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await ws.is_usable()


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_a_token_signs_in(served, name):
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.sign_in({name: authorization()["Authorization"]})
        await ws.send(subscribe("1", "{ viewer { role } }"))
        assert (await ws.receive())["payload"]["data"] == {"viewer": {"role": "DISPATCHER"}}


@pytest.mark.parametrize("header", ["Bearer nonsense", "nonsense", "", 7, None, "Basic x"], ids=str)
async def test_an_invalid_token_is_refused(served, header):
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send(INIT | {"payload": {"Authorization": header}})
        if header is None:
            assert await ws.receive() == {"type": "connection_ack"}
        else:
            assert (await ws.closed())[0] == 4403


async def test_unavailable_keys_close_with_try_again(serve):
    class Unavailable:
        async def verify(self, _: str) -> VerifiedToken:
            raise KeysUnavailable

    served = await serve(Unavailable())
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send(INIT | {"payload": authorization()})
        assert (await ws.closed())[0] == 1013


async def test_subscribe_before_init_is_unauthorized(served):
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send(subscribe("1", TYPENAME))
        assert await ws.closed() == (4401, "Unauthorized")


async def test_a_second_init_is_refused(ws):
    await ws.send(INIT)
    assert await ws.closed() == (4429, "Too many initialisation requests")


async def test_a_missing_init_times_out(monkeypatch, served):
    monkeypatch.setattr(websocket, "INIT_TIMEOUT_S", 0.2)
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send({"type": "ping"})
        assert await ws.closed() == (4408, "Connection initialisation timeout")


async def test_slow_token_verification_times_out(monkeypatch, serve):
    class Hangs:
        async def verify(self, _: str) -> VerifiedToken:
            await asyncio.sleep(3600)
            raise AssertionError

    monkeypatch.setattr(websocket, "INIT_TIMEOUT_S", 0.2)
    served = await serve(Hangs())
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send(INIT | {"payload": authorization()})
        assert (await ws.closed())[0] == 4408


async def test_an_expired_token_closes_the_connection(monkeypatch, served):
    monkeypatch.setattr(tokens, "LEEWAY_S", 0)
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.sign_in(authorization(ttl_s=3))
        await ws.send(subscribe("1", FOLLOW))
        assert await ws.closed() == (4403, "The token has expired")


async def test_a_withdrawn_key_closes_the_connection(monkeypatch, serve):
    monkeypatch.setattr(tokens, "RECHECK_S", 0.1)
    served = await serve(WithdrawnKey(SECRET))
    async with open_websocket(served.port) as ws:
        await ws.send(subscribe("1", FOLLOW))
        assert await ws.closed() == (4403, "The token is no longer valid")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example"])
async def test_other_origins_are_refused(served, origin):
    with pytest.raises(InvalidStatus) as refused:
        async with open_websocket(served.port, signed_in=False, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_our_own_and_configured_origins_are_allowed(shared_url, served):
    async with open_websocket(served.port, origin=f"http://127.0.0.1:{served.port}"):
        pass
    app = make_app(shared_url, cors_origins=["https://ui.example"])
    async with serving(app) as other, open_websocket(other.port, origin="https://ui.example"):
        pass


# Invalid messages

INVALID = {
    "empty": "",
    "not JSON": "{",
    "JSON null": "null",
    "a number": "1",
    "a list": "[]",
    "a string": '"ping"',
    "30000 deep": DEEP,
    "bytes": b'{"type": "ping"}',
    "no type": {},
    "an unknown type": {"type": "start", "id": "1"},
    "a type that is a list": {"type": ["ping"]},
    "a ping with a payload that is a string": {"type": "ping", "payload": "x"},
    "a pong with a payload that is a list": {"type": "pong", "payload": []},
    "complete without id": {"type": "complete"},
    "complete with a list as id": {"type": "complete", "id": []},
    "subscribe without id": {"type": "subscribe", "payload": {"query": TYPENAME}},
    "subscribe with a number as id": subscribe(1, TYPENAME),  # type: ignore[arg-type] # as clients may
    "subscribe with an empty id": subscribe("", TYPENAME),
    "subscribe with a list as id": subscribe([], TYPENAME),  # type: ignore[arg-type] # as above
    "subscribe with a long id": subscribe("x" * 1000, TYPENAME),
    "subscribe without payload": {"type": "subscribe", "id": "1"},
    "a payload that is null": {"type": "subscribe", "id": "1", "payload": None},
    "a payload that is a string": {"type": "subscribe", "id": "1", "payload": TYPENAME},
    "no query": {"type": "subscribe", "id": "1", "payload": {}},
    "a query that is a number": {"type": "subscribe", "id": "1", "payload": {"query": 1}},
    "variables that are a list": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": TYPENAME, "variables": []},
    },
    "an operationName that is a number": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": TYPENAME, "operationName": 1},
    },
    "extensions that are a string": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": TYPENAME, "extensions": "x"},
    },
}


@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_message_closes_the_connection(ws, case):
    await ws.send(INVALID[case])
    code, reason = await ws.closed()
    assert code == 4400
    assert reason.startswith("Invalid message: ")


@pytest.mark.parametrize("case", ["not JSON", "JSON null", "no type", "30000 deep", "complete without id"])
async def test_an_invalid_message_before_init_closes_the_connection(served, case):
    async with open_websocket(served.port, signed_in=False) as ws:
        await ws.send(INVALID[case])
        assert (await ws.closed())[0] == 4400


async def test_a_large_message_closes_the_connection(served):
    async with open_websocket(served.port) as ws:
        await ws.send(subscribe("1", "#" * 300_000))
        assert (await ws.closed())[0] == 1009


# Keep-alive and message rate


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {"a": 1}}], ids=str)
async def test_a_ping_is_answered_with_a_pong(served, signed_in, payload):
    async with open_websocket(served.port, signed_in=signed_in) as ws:
        await ws.send({"type": "pong"} | payload, {"type": "ping"} | payload, {"type": "ping"})
        assert [await ws.receive(), await ws.receive()] == [{"type": "pong"}] * 2


async def test_a_message_after_the_burst_closes_the_connection(served):
    """Whether it is signed in or not."""
    for signed_in in (True, False):
        async with open_websocket(served.port, signed_in=signed_in) as ws:
            flood = asyncio.create_task(ws.send(*[{"type": "ping"}] * 10_000))
            assert (await ws.closed())[0] == 1008
            await asyncio.gather(flood, return_exceptions=True)


# Operations


async def test_queries_and_mutations_send_one_result_and_complete(ws, make):
    assignment = await make.assigned()
    await ws.send(subscribe("q", "query($t: ID!) { ticket(id: $t) { status } }", t=assignment.ticket_id))
    answer = await ws.receive()
    assert (answer["id"], answer["type"]) == ("q", "next")
    assert answer["payload"]["data"] == {"ticket": {"status": "ASSIGNED"}}
    assert await ws.receive() == {"id": "q", "type": "complete"}
    accept = "mutation($i: AcceptAssignmentInput!) { a: acceptAssignment(input: $i) { __typename } }"
    await ws.send(subscribe("m", accept, i={"assignmentId": str(assignment.id)}))
    assert (await ws.receive())["payload"]["data"] == {"a": {"__typename": "Assignment"}}
    assert await ws.receive() == {"id": "m", "type": "complete"}


async def test_a_subscription_sends_events_until_it_is_completed(ws, db, make):
    await ws.send(subscribe("1", FOLLOW))
    for _ in range(2):
        assert await accept_and_receive(ws, db, await make.assigned()) == "accepted"
    await ws.send({"id": "1", "type": "complete"})
    assert await ws.is_usable()
    await make.assigned()
    assert await ws.is_usable()


async def accept_and_receive(ws: WebSocketClient, db: Any, assignment: Any) -> str:
    """Accept an assignment. Returns the type of the event that the subscription sends."""
    await asyncio.sleep(0.5)  # until the subscription has started
    await World(db).act("accept", assignment)
    while True:
        event = (await ws.receive())["payload"]["data"]["assignmentEvents"]
        if (event["assignment"]["id"], event["type"]) != (str(assignment.id), "assigned"):
            assert event["assignment"]["id"] == str(assignment.id)
            assert event["ticket"] == {"id": assignment.ticket_id}
            return event["type"]


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nope }",
        "query A { __typename } query B { __typename }",
        "fragment F on Query { __typename }",
        "{ ticket }",
        FOLLOW.replace("{ type", '(ticketId: "") { type'),
    ],
    ids=["syntax", "validation", "no name", "no operation", "arguments", "a subscription's arguments"],
)
async def test_a_request_error_ends_only_its_operation(ws, query):
    await ws.send(subscribe("other", FOLLOW), subscribe("1", query))
    answer = await ws.receive()
    assert (answer["id"], answer["type"]) == ("1", "error")
    assert answer["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    # The id can be reused at once, and the other operation continues.
    await ws.send(subscribe("1", TYPENAME))
    assert [(await ws.receive())["type"], (await ws.receive())["type"]] == ["next", "complete"]
    await ws.send(subscribe("other", TYPENAME))
    assert (await ws.closed())[0] == 4409


@pytest.mark.parametrize("name", ["x" * 128, "é" * 100, "x" + "é" * 100, "😀" * 64], ids=len)
async def test_a_long_close_reason_is_cut(ws, name):
    await ws.send(subscribe(name, FOLLOW), subscribe(name, FOLLOW))
    code, reason = await ws.closed()
    assert code == 4409
    assert f"Subscriber for {name} already exists".startswith(reason)
    assert 120 <= len(reason.encode()) <= 123


async def test_an_unknown_operation_name_is_a_request_error(ws):
    message = subscribe("1", TYPENAME)
    message["payload"]["operationName"] = "Nope"
    await ws.send(message)
    answer = await ws.receive()
    assert (answer["id"], answer["type"]) == ("1", "error")
    assert answer["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert await ws.is_usable()


async def test_an_id_in_use_closes_the_connection(ws):
    await ws.send(subscribe("1", FOLLOW), subscribe("1", TYPENAME))
    assert await ws.closed() == (4409, "Subscriber for 1 already exists")


async def test_complete_of_an_unknown_id_is_ignored(ws):
    await ws.send({"id": "unknown", "type": "complete"})
    assert await ws.is_usable()


async def test_an_id_can_be_reused_after_complete(ws):
    for _ in range(3):
        await ws.send(subscribe("1", FOLLOW), {"id": "1", "type": "complete"})
    assert await ws.is_usable()


async def test_the_operations_of_a_connection_are_limited(serve):
    served = await serve(operations=3)
    async with open_websocket(served.port) as ws:
        await ws.send(*(subscribe(str(i), FOLLOW) for i in range(4)))
        answer = await ws.receive()
        assert (answer["id"], answer["type"]) == ("3", "error")
        assert answer["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await ws.send({"id": "0", "type": "complete"})
        assert await ws.is_usable()


async def test_the_connections_of_a_subject_are_limited(serve):
    served = await serve(streams=2)
    async with open_websocket(served.port), open_websocket(served.port) as second:
        async with open_websocket(served.port, signed_in=False) as third:
            await third.send(INIT | {"payload": authorization()})
            assert (await third.closed())[0] == 4429
        await second.socket.close()
        async with open_websocket(served.port):
            pass


async def test_a_later_query_reads_new_data(ws, db, make):
    assignment = await make.assigned()
    query = "query($t: ID!) { ticket(id: $t) { currentAssignment { status } } }"
    statuses = []
    for _ in range(2):
        await ws.send(subscribe("1", query, t=assignment.ticket_id))
        statuses.append((await ws.receive())["payload"]["data"]["ticket"]["currentAssignment"]["status"])
        assert (await ws.receive())["type"] == "complete"
        if len(statuses) == 1:
            await World(db).act("accept", assignment)
    assert statuses == ["ASSIGNED", "ACCEPTED"]


async def test_a_fault_is_masked_and_the_connection_stays_open(monkeypatch, ws, db, make):
    async def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("postgresql://user:secret@host")

    assignment = await make.assigned()  # the cursor below needs an event
    await World(db).act("accept", assignment)
    monkeypatch.setattr("app.events.events.within", fail)
    await ws.send(subscribe("1", FOLLOW.replace("assignmentEvents", 'assignmentEvents(afterCursor: "1")')))
    answer = await ws.receive()
    assert answer["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(answer)
    assert await ws.is_usable()


async def test_a_disconnect_ends_the_subscription(served, db, make):
    async with open_websocket(served.port) as ws:
        await ws.send(subscribe("1", FOLLOW))
        assert await accept_and_receive(ws, db, await make.assigned())
    tasks = [task for task in asyncio.all_tasks() if "_run_operation" in repr(task)]
    assert tasks == [] or await asyncio.wait(tasks, timeout=10) == (set(tasks), set())


async def test_limits_apply(ws):
    await ws.send(subscribe("1", "{ a: __typename " * 11 + "}" * 11))
    answer = await ws.receive()
    assert answer["payload"][0]["extensions"]["code"] == "QUERY_TOO_LARGE"


async def test_an_event_is_executed_once_per_request_and_visibility(monkeypatch, serve, db, make):
    assignment = await make.assigned()
    statements: list[str] = []
    capture_statements(monkeypatch, statements.append)
    served = await serve()
    engineer = DevelopmentTokens(SECRET).sign(Role.ENGINEER, assignment.engineer_id, ttl_s=60)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_websocket(served.port)) for _ in range(10)]
        clients.append(await stack.enter_async_context(open_websocket(served.port, signed_in=False)))
        await clients[-1].sign_in({"Authorization": f"Bearer {engineer}"})
        for ws in clients:
            await ws.send(subscribe("1", FOLLOW))
            assert await ws.is_usable()
        statements.clear()
        await World(db).act("accept", assignment)
        events = [(await ws.receive())["payload"]["data"]["assignmentEvents"] for ws in clients]
    assert {event["type"] for event in events} == {"accepted"}
    # Once for the dispatchers, and once for the engineer.
    assert len([query for query in statements if "FROM service_tickets" in query]) == 2
