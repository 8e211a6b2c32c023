"""graphql-transport-ws, as PROTOCOL.md of graphql-ws has it: what is right is served, the rest is told so."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import InvalidStatus

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.domain.model import Role
from app.graphql.admission.limits import Limits
from app.graphql.transport import websocket as socket_module
from app.http.auth.jwks import KeysUnavailable
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import make_app
from tests.conftest import SECRET
from tests.databases import capture_statements
from tests.factories import DISPATCHER
from tests.serving import serving
from tests.websocket_client import Talk, as_dispatcher, subscribe, talking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from app.http.auth.tokens import Verified

TYPENAME = "{ __typename }"
FOLLOW = "subscription { assignmentEvents { type actor assignment { id } ticket { id } } }"
DEEP = "[" * 30_000 + "]" * 30_000
INIT = {"type": "connection_init"}


@pytest.fixture
async def talk(db, served) -> AsyncIterator[Talk]:
    async with talking(served.port) as talk:
        yield talk


@pytest.fixture
async def serve(db, shared_url) -> AsyncIterator[Callable[..., Any]]:
    """Starts a server with limits of its own."""
    async with AsyncExitStack() as until_done:

        async def start(authenticator: Any = None, **limits: Any) -> Any:
            app = make_app(
                shared_url,
                authenticator=authenticator or DevelopmentTokens(SECRET),
                database_pool_size=4,
                limits=Limits(**limits),
            )
            return await until_done.enter_async_context(serving(app))

        yield start


# Before anybody is let in


async def test_it_speaks_graphql_transport_ws(served):
    async with talking(served.port, protocols=("other", "graphql-transport-ws")) as talk:
        assert talk.socket.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("nonsense",), ()], ids=str)
async def test_no_other_protocol_is_spoken(served, protocols):
    async with talking(served.port, protocols=protocols, signed_in=False) as talk:
        assert (await talk.closed())[0] == 4406


@pytest.mark.parametrize(
    "payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"else": 1}}], ids=str
)
async def test_who_has_no_token_is_let_in_and_is_nobody(served, payload):
    async with talking(served.port, signed_in=False) as talk:
        await talk.say(INIT | payload)
        assert await talk.hear() == {"type": "connection_ack"}
        await talk.say(subscribe("1", FOLLOW))
        answer = await talk.hear()
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await talk.is_well()


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_a_token_signs_in(served, name):
    async with talking(served.port, signed_in=False) as talk:
        await talk.sign_in({name: as_dispatcher()["Authorization"]})
        await talk.say(subscribe("1", "{ viewer { role } }"))
        assert (await talk.hear())["payload"]["data"] == {"viewer": {"role": "DISPATCHER"}}


@pytest.mark.parametrize("header", ["Bearer nonsense", "nonsense", "", 7, None, "Basic x"], ids=str)
async def test_a_wrong_token_is_refused(served, header):
    async with talking(served.port, signed_in=False) as talk:
        await talk.say(INIT | {"payload": {"Authorization": header}})
        if header is None:
            assert await talk.hear() == {"type": "connection_ack"}
        else:
            assert (await talk.closed())[0] == 4403


async def test_when_nobody_can_tell_a_token_it_may_try_again(serve):
    class OutOfReach:
        async def verify(self, _: str) -> Verified:
            raise KeysUnavailable

    served = await serve(OutOfReach())
    async with talking(served.port, signed_in=False) as talk:
        await talk.say(INIT | {"payload": as_dispatcher()})
        assert (await talk.closed())[0] == 1013


async def test_who_asks_before_the_init_is_unauthorized(served):
    async with talking(served.port, signed_in=False) as talk:
        await talk.say(subscribe("1", TYPENAME))
        assert await talk.closed() == (4401, "Unauthorized")


async def test_who_says_init_twice_is_closed(talk):
    await talk.say(INIT)
    assert await talk.closed() == (4429, "Too many initialisation requests")


async def test_who_never_says_init_is_closed(monkeypatch, served):
    monkeypatch.setattr(socket_module, "INIT_TIMEOUT_S", 0.2)
    async with talking(served.port, signed_in=False) as talk:
        await talk.say({"type": "ping"})
        assert await talk.closed() == (4408, "Connection initialisation timeout")


async def test_whose_token_hangs_is_closed(monkeypatch, serve):
    class Hangs:
        async def verify(self, _: str) -> Verified:
            await asyncio.sleep(3600)
            raise AssertionError

    monkeypatch.setattr(socket_module, "INIT_TIMEOUT_S", 0.2)
    served = await serve(Hangs())
    async with talking(served.port, signed_in=False) as talk:
        await talk.say(INIT | {"payload": as_dispatcher()})
        assert (await talk.closed())[0] == 4408


async def test_a_token_that_expires_ends_the_connection(monkeypatch, served):
    monkeypatch.setattr(socket_module, "LEEWAY_S", 0)
    async with talking(served.port, signed_in=False) as talk:
        await talk.sign_in(as_dispatcher(ttl_s=1))
        await talk.say(subscribe("1", FOLLOW))
        assert await talk.closed() == (4403, "The token has expired")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example"])
async def test_pages_of_other_origins_are_not_served(served, origin):
    with pytest.raises(InvalidStatus) as refused:
        async with talking(served.port, signed_in=False, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_our_own_pages_are_served_and_those_of_origins_that_are_named(shared_url, served):
    async with talking(served.port, origin=f"http://127.0.0.1:{served.port}"):
        pass
    app = make_app(shared_url, cors_origins=["https://ui.example"])
    async with serving(app) as other, talking(other.port, origin="https://ui.example"):
        pass


# Messages that are none

WRONG = {
    "nothing": "",
    "no JSON": "{",
    "JSON null": "null",
    "a number": "1",
    "a list": "[]",
    "a string": '"ping"',
    "30000 deep": DEEP,
    "bytes": b'{"type": "ping"}',
    "no type": {},
    "an unknown type": {"type": "start", "id": "1"},
    "a type that is no string": {"type": ["ping"]},
    "a ping with a payload that is a string": {"type": "ping", "payload": "x"},
    "a pong with a payload that is a list": {"type": "pong", "payload": []},
    "complete without id": {"type": "complete"},
    "complete with a list as id": {"type": "complete", "id": []},
    "subscribe without id": {"type": "subscribe", "payload": {"query": TYPENAME}},
    "subscribe with a number as id": subscribe(1, TYPENAME),  # type: ignore[arg-type] # as clients may
    "subscribe with an empty id": subscribe("", TYPENAME),
    "subscribe with a list as id": subscribe([], TYPENAME),  # type: ignore[arg-type] # as above
    "subscribe with an endless id": subscribe("x" * 1000, TYPENAME),
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


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_message_closes_the_connection_and_says_why(talk, what):
    await talk.say(WRONG[what])
    code, reason = await talk.closed()
    assert code == 4400
    assert reason.startswith("Invalid message: ")


@pytest.mark.parametrize("what", ["no JSON", "JSON null", "no type", "30000 deep", "complete without id"])
async def test_a_wrong_message_before_the_init_does_so_too(served, what):
    async with talking(served.port, signed_in=False) as talk:
        await talk.say(WRONG[what])
        assert (await talk.closed())[0] == 4400


async def test_a_message_that_is_too_large_is_not_read(served):
    async with talking(served.port) as talk:
        await talk.say(subscribe("1", "#" * 300_000))
        assert (await talk.closed())[0] == 1009


# Keeping alive


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {"a": 1}}], ids=str)
async def test_a_ping_is_answered_and_a_pong_is_not(served, signed_in, payload):
    async with talking(served.port, signed_in=signed_in) as talk:
        await talk.say({"type": "pong"} | payload, {"type": "ping"} | payload, {"type": "ping"})
        assert [await talk.hear(), await talk.hear()] == [{"type": "pong"}] * 2


async def test_who_sends_too_much_is_read_more_slowly_and_loses_nothing(serve):
    served = await serve(message_burst=5, messages_per_s=50)
    async with talking(served.port) as talk:
        began = asyncio.get_running_loop().time()
        await talk.say(*[{"type": "ping"}] * 30)
        for _ in range(30):
            assert await talk.hear() == {"type": "pong"}
        assert asyncio.get_running_loop().time() - began > 25 / 50 * 0.9  # at the least


# Operations


async def test_a_query_and_a_mutation_answer_once_and_complete(talk, make):
    held = await make.assigned()
    await talk.say(subscribe("q", "query($t: ID!) { ticket(id: $t) { status } }", t=held.ticket_id))
    answer = await talk.hear()
    assert (answer["id"], answer["type"]) == ("q", "next")
    assert answer["payload"]["data"] == {"ticket": {"status": "ASSIGNED"}}
    assert await talk.hear() == {"id": "q", "type": "complete"}
    accept = "mutation($i: AcceptAssignmentInput!) { a: acceptAssignment(input: $i) { __typename } }"
    await talk.say(subscribe("m", accept, i={"assignmentId": str(held.id)}))
    assert (await talk.hear())["payload"]["data"] == {"a": {"__typename": "Assignment"}}
    assert await talk.hear() == {"id": "m", "type": "complete"}


async def test_a_subscription_is_told_until_it_is_completed(talk, db, make):
    await talk.say(subscribe("1", FOLLOW))
    for _ in range(2):
        assert await _follows(talk, db, await make.assigned()) == "accepted"
    await talk.say({"id": "1", "type": "complete"})
    assert await talk.is_well()
    await make.assigned()
    assert await talk.is_well()


async def _follows(talk: Talk, db: Any, held: Any) -> str:
    """Accepts an assignment, and says what the subscription tells of it."""
    await asyncio.sleep(0.5)  # a subscription begins some time after it was asked for
    await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
    while True:
        told = (await talk.hear())["payload"]["data"]["assignmentEvents"]
        if (told["assignment"]["id"], told["type"]) != (str(held.id), "assigned"):
            assert told["assignment"]["id"] == str(held.id)
            assert told["ticket"] == {"id": held.ticket_id}
            return told["type"]


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nope }",
        "query A { __typename } query B { __typename }",
        "{ ticket }",
        FOLLOW.replace("{ type", '(ticketId: "") { type'),
    ],
    ids=["syntax", "validation", "no name", "arguments", "a subscription's arguments"],
)
async def test_what_is_wrong_with_an_operation_is_told_to_it_alone(talk, query):
    await talk.say(subscribe("other", FOLLOW), subscribe("1", query))
    answer = await talk.hear()
    assert (answer["id"], answer["type"]) == ("1", "error")
    assert answer["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    # The id is free at once, and the other operation goes on.
    await talk.say(subscribe("1", TYPENAME))
    assert [(await talk.hear())["type"], (await talk.hear())["type"]] == ["next", "complete"]
    await talk.say(subscribe("other", TYPENAME))
    assert (await talk.closed())[0] == 4409


async def test_an_unknown_operation_name_is_told_to_the_operation(talk):
    message = subscribe("1", TYPENAME)
    message["payload"]["operationName"] = "Nope"
    await talk.say(message)
    assert (await talk.hear())["type"] == "error"
    assert await talk.is_well()


async def test_two_operations_of_one_name_close_the_connection(talk):
    await talk.say(subscribe("1", FOLLOW), subscribe("1", TYPENAME))
    assert await talk.closed() == (4409, "Subscriber for 1 already exists")


async def test_complete_for_what_is_not_there_is_nothing(talk):
    await talk.say({"id": "nobody", "type": "complete"})
    assert await talk.is_well()


async def test_a_name_is_free_again_after_complete(talk):
    for _ in range(3):
        await talk.say(subscribe("1", FOLLOW), {"id": "1", "type": "complete"})
    assert await talk.is_well()


async def test_one_connection_has_so_many_operations_and_no_more(serve):
    served = await serve(operations=3)
    async with talking(served.port) as talk:
        await talk.say(*(subscribe(str(i), FOLLOW) for i in range(4)))
        answer = await talk.hear()
        assert (answer["id"], answer["type"]) == ("3", "error")
        assert answer["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await talk.say({"id": "0", "type": "complete"})
        assert await talk.is_well()


async def test_one_subject_has_so_many_connections_and_no_more(serve):
    served = await serve(streams=2)
    async with talking(served.port), talking(served.port) as second:
        async with talking(served.port, signed_in=False) as third:
            await third.say(INIT | {"payload": as_dispatcher()})
            assert (await third.closed())[0] == 4429
        await second.socket.close()
        async with talking(served.port):
            pass


async def test_the_same_socket_reads_what_others_have_changed_meanwhile(talk, db, make):
    held = await make.assigned()
    query = "query($t: ID!) { ticket(id: $t) { currentAssignment { status } } }"
    seen = []
    for _ in range(2):
        await talk.say(subscribe("1", query, t=held.ticket_id))
        seen.append((await talk.hear())["payload"]["data"]["ticket"]["currentAssignment"]["status"])
        assert (await talk.hear())["type"] == "complete"
        if len(seen) == 1:
            await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
    assert seen == ["ASSIGNED", "ACCEPTED"]


async def test_a_fault_is_masked_and_the_connection_stays(monkeypatch, talk):
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("postgresql://user:secret@host")

    monkeypatch.setattr("app.events.events.within", broken)
    await talk.say(subscribe("1", FOLLOW.replace("assignmentEvents", 'assignmentEvents(afterCursor: "1")')))
    answer = await talk.hear()
    assert answer["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(answer)
    assert await talk.is_well()


async def test_who_leaves_takes_the_subscription_along(served, db, make):
    async with talking(served.port) as talk:
        await talk.say(subscribe("1", FOLLOW))
        assert await _follows(talk, db, await make.assigned())
    left = [task for task in asyncio.all_tasks() if "_operate" in repr(task)]
    assert left == [] or await asyncio.wait(left, timeout=10) == (set(left), set())


async def test_limits_hold_here_too(talk):
    await talk.say(subscribe("1", "{ a: __typename " * 11 + "}" * 11))
    answer = await talk.hear()
    assert answer["payload"][0]["extensions"]["code"] == "QUERY_TOO_LARGE"


async def test_an_event_is_read_once_for_all_who_ask_in_the_same_words(monkeypatch, serve, db, make):
    held = await make.assigned()
    sent: list[str] = []

    capture_statements(monkeypatch, sent.append)
    served = await serve()
    engineer = DevelopmentTokens(SECRET).sign(Role.ENGINEER, held.engineer_id, ttl_s=60)
    async with AsyncExitStack() as until_done:
        talks = [await until_done.enter_async_context(talking(served.port)) for _ in range(10)]
        talks.append(await until_done.enter_async_context(talking(served.port, signed_in=False)))
        await talks[-1].sign_in({"Authorization": f"Bearer {engineer}"})
        for talk in talks:
            await talk.say(subscribe("1", FOLLOW))
            assert await talk.is_well()
        sent.clear()
        await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
        heard = [(await talk.hear())["payload"]["data"]["assignmentEvents"] for talk in talks]
    assert {event["type"] for event in heard} == {"accepted"}
    # Once for those who see all, and once for the engineer.
    assert len([query for query in sent if "FROM service_tickets" in query]) == 2
