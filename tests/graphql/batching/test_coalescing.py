"""What operations do together at the same moment: statements, and executions. Each is answered as alone."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.connections import connect
from app.db.errors import Unavailable
from app.db.pool import open_database
from app.domain import policy
from app.domain.model import EngineerId, Role, TicketId
from app.graphql.batching import coalescing
from app.graphql.batching.loader import MAX_KEYS
from app.graphql.batching.scheduler import MAX_CONCURRENT, BatchScheduler
from app.graphql.loaders import Loaders
from tests.graphql.conftest import PATIENCE_S, until_waiting, when_compiled

if TYPE_CHECKING:
    from tests.graphql.conftest import Api

HOLDER = """query H($id: ID!) { ticket(id: $id) {
    id status currentAssignment { id engineer { id name } } } }"""
HISTORY = """query P($id: ID!, $more: Boolean = false) { ticket(id: $id) { escalationCount
    assignmentHistory { id status equipment @include(if: $more) { name } ticket { id } } } }"""
TURN = "query A($id: ID!) { assignment(id: $id) { id ticket { id totalTimeSpentHours } } viewer { role } }"
PERSON = (
    "query E($id: ID!) { engineer(id: $id) { name activeAssignments assignments(first: 2) { totalCount } } }"
)
PAGE = """query L($id: String) { tickets(first: 2, filter: { search: $id }) { nodes {
    id assignmentHistory { id } } } }"""


async def at_once(api: Api, asked: list[tuple[str, Any, str]]) -> list[Any]:
    """Documents, ids and tokens; what depends on how much was asked before is left out."""

    async def one(document: str, id_: Any, token: str) -> Any:
        answer = await api.client.post(
            "/graphql",
            json={"query": document, "variables": {"id": id_}},
            headers={"Authorization": token} if token else {},
        )
        answer = answer.json()
        answer.pop("extensions", None)
        for error in answer.get("errors", ()):
            error["extensions"].pop("id", None)
        return answer

    return list(await asyncio.gather(*(one(*each) for each in asked)))


@pytest.fixture
async def three_held(make):
    return [await make.assigned() for _ in range(3)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_each_is_answered_as_alone(ask, three_held, tokens, data):
    ask.client.headers.pop("Authorization", None)
    people = [
        "",
        "Bearer x",
        *(
            f"Bearer {tokens.sign(role, engineer_id, ttl_s=600)}"
            for role, engineer_id in [
                (Role.DISPATCHER, None),
                (Role.AUDITOR, None),
                (Role.ENGINEER, three_held[0].engineer_id),
                (Role.ENGINEER, three_held[1].engineer_id),
            ]
        ),
    ]
    ids = [None, 7, "", "T-none", "x" * 300, str(uuid4())]
    ids += [str(id_) for held in three_held for id_ in (held.id, held.ticket_id, held.engineer_id)]
    asked = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from([HOLDER, HISTORY, TURN, PERSON, PAGE]),
                st.sampled_from(ids),
                st.sampled_from(people),
            ),
            min_size=1,
            max_size=14,
        )
    )
    alone = [(await at_once(ask, [one]))[0] for one in asked]
    assert await at_once(ask, asked) == alone


async def test_twenty_at_once_take_the_statements_of_two(statements, ask, make):
    held = [await make.assigned() for _ in range(20)]
    token = ask.client.headers["Authorization"]
    statements.clear()
    answers = await at_once(ask, [(HOLDER, each.ticket_id, token) for each in held])
    assert [answer["data"]["ticket"]["currentAssignment"]["id"] for answer in answers] == [
        str(each.id) for each in held
    ]
    assert 1 <= Counter(statements)["tickets.tickets_with_current"] <= MAX_CONCURRENT


async def test_those_who_ask_for_the_same_page_share_it(statements, ask, make):
    await make.assigned()
    token = ask.client.headers["Authorization"]
    statements.clear()
    first, *others = await at_once(ask, [(PAGE, "", token)] * 5 + [(PAGE, "none", token)])
    assert first["data"]["tickets"]["nodes"]
    assert others == [first] * 4 + [{"data": {"tickets": {"nodes": []}}}]
    pages = [name for name in statements if "newest" in name]
    assert sorted(pages) == ["tickets.newest_tickets", "tickets.newest_tickets_matching"]


@pytest.mark.usefixtures("the_server_ends_no_statement_by_itself")
@pytest.mark.parametrize("document", [HOLDER, PAGE])
async def test_who_leaves_takes_nobody_along_and_the_last_ends_the_statement(
    serve, make, shared_url, document
):
    held = await make.assigned()
    api = await serve(read_timeout_s=600)
    asked = (document, str(held.ticket_id), api.client.headers["Authorization"])
    async with connect(shared_url) as conn:
        for leave in (2, 3):
            async with conn.transaction():
                await conn.execute("LOCK TABLE service_tickets")
                answers = [asyncio.create_task(at_once(api, [asked])) for _ in range(3)]
                await until_waiting(conn, 1)
                for answer in answers[:leave]:
                    answer.cancel()
                await asyncio.wait(answers[:leave])
                if leave == len(answers):
                    await until_waiting(conn, 0)
            if leave < len(answers):
                [answer] = await asyncio.wait_for(answers[-1], PATIENCE_S)
                assert answer["data"]


async def test_who_asks_for_what_cannot_be_read_is_alone_in_it(make, shared_url):
    held = await make.assigned()
    async with open_database(shared_url, pool_size=2) as db:
        gathering = BatchScheduler()
        one, other = (Loaders(db, gathering, frozenset(), None) for _ in range(2))
        found = [one.ticket.load(held.ticket_id), other.ticket.load(TicketId("\0"))]
        ticket, error = await asyncio.gather(*found, return_exceptions=True)
        assert ticket.id == held.ticket_id
        assert isinstance(error, Exception)
        assert not isinstance(error, Unavailable)
        # What failed is not remembered.
        assert other.ticket.load(TicketId("\0")) is not found[1]
        one.close()
        other.close()


async def test_those_who_may_not_see_the_same_share_no_statement(make, shared_url):
    held = await make.assigned()
    async with open_database(shared_url, pool_size=2) as db:
        gathering = BatchScheduler()
        everybody = Loaders(db, gathering, frozenset(), None)
        stranger = Loaders(db, gathering, frozenset(), EngineerId(uuid4()))
        seen, hidden = await asyncio.gather(
            everybody.ticket.load(held.ticket_id), stranger.ticket.load(held.ticket_id)
        )
        assert seen.id == held.ticket_id
        assert hidden is None


async def test_more_keys_than_a_statement_takes_are_read_by_several(statements, shared_url):
    async with open_database(shared_url, pool_size=3) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        wanted = [loaders.ticket.load(TicketId(f"T-{n}")) for n in range(2 * MAX_KEYS + 1)]
        assert set(await asyncio.gather(*wanted)) == {None}
        assert statements.count("tickets.tickets_by_ids") == 3


async def test_loaders_of_several_last_until_the_last_of_them_ends(make, shared_url):
    held = await make.assigned()
    async with open_database(shared_url, pool_size=1) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        assert loaders.shared() is loaders
        loaders.close()
        assert (await loaders.ticket.load(held.ticket_id)).id == held.ticket_id
        loaders.close()
        assert loaders.ticket.load(TicketId("T-1")).cancelled()


async def test_a_list_is_confined_as_lists_are_and_not_as_one_ticket(monkeypatch, ask, make):
    held = await make.assigned()
    own = policy.PERMISSIONS[Role.DISPATCHER] | {policy.ReadPermission.TICKETS: policy.Access.OWN}
    monkeypatch.setattr(policy, "PERMISSIONS", {**policy.PERMISSIONS, Role.DISPATCHER: own})
    query = "query ($id: ID!) { ticket(id: $id) { id } tickets { totalCount nodes { id } } }"
    found = await ask(query, id=held.ticket_id)
    assert found == {"ticket": {"id": held.ticket_id}, "tickets": {"totalCount": 0, "nodes": []}}


@when_compiled
@pytest.mark.parametrize("most", [0, coalescing.MAX_GROUP_COST])
async def test_what_costs_much_goes_alone(monkeypatch, ask, make, most):
    held = [await make.assigned() for _ in range(6)]
    token = ask.client.headers["Authorization"]
    monkeypatch.setattr(coalescing, "MAX_GROUP_COST", most)
    answers = await at_once(ask, [(HISTORY, each.ticket_id, token) for each in held])
    assert all(len(answer["data"]["ticket"]["assignmentHistory"]) == 1 for answer in answers)
    measured = (await ask.client.get("/metrics")).text
    assert ("\nbaton_coalesced_queries_count 0.0\n" in measured) == (most == 0)


class Parcel:
    """Arrives when it is told to."""

    def __init__(self, most: int) -> None:
        self.things: list[int] = []
        self.most = most
        self.has_started = asyncio.Event()
        self.arrives = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return len(self.things) >= self.most

    def start(self) -> asyncio.Task[None] | None:
        begun.append(self)
        self.has_started.set()
        return asyncio.create_task(self._go()) if self.things else None

    async def _go(self) -> None:
        await self.arrives.wait()


begun: list[Parcel] = []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.integers(1, 3), st.sampled_from(["turn", "arrive", "last"])), max_size=40),
    st.integers(1, 4),
)
async def test_no_more_than_a_few_are_under_way_and_none_is_forgotten(steps, most):
    begun.clear()
    ways: BatchScheduler[Parcel] = BatchScheduler(max_wait_s=600)
    sent = 0
    arrived: list[Parcel] = []
    for step in steps:
        under_way = [parcel for parcel in begun if parcel not in arrived]
        if isinstance(step, int):
            for _ in range(step):
                ways.open_batch("kind", lambda: Parcel(most)).things.append(sent)
                sent += 1
        elif step == "turn":
            await asyncio.sleep(0)
        elif under_way:
            parcel = under_way[0 if step == "arrive" else -1]
            parcel.arrives.set()
            arrived.append(parcel)
            for _ in range(3):
                await asyncio.sleep(0)
        # Only what is full is sent beyond the ways.
        waiting = [parcel for parcel in begun if parcel not in arrived and not parcel.is_full]
        assert len(waiting) <= MAX_CONCURRENT
    for _ in range(4 * sent + 4):
        for parcel in begun:
            parcel.arrives.set()
        await asyncio.sleep(0)
    assert [thing for parcel in begun for thing in parcel.things] == list(range(sent))
    assert not ways._open
    assert not ways._running


async def test_what_has_waited_long_goes_beyond_them():
    begun.clear()
    ways: BatchScheduler[Parcel] = BatchScheduler(max_wait_s=0.001)
    for _ in range(MAX_CONCURRENT + 1):
        last = ways.open_batch("kind", lambda: Parcel(9))
        last.things.append(1)
        await asyncio.sleep(0)
    assert last not in begun
    async with asyncio.timeout(10):
        await last.has_started.wait()
    for parcel in begun:
        parcel.arrives.set()


@pytest.mark.usefixtures("the_server_ends_no_statement_by_itself")
async def test_a_company_that_is_out_of_time_leaves_nothing_running(serve, make, shared_url):
    held = await make.assigned()
    api = await serve(read_timeout_s=0.3)
    asked = (HOLDER, str(held.ticket_id), api.client.headers["Authorization"])
    async with connect(shared_url) as conn, conn.transaction():
        await conn.execute("LOCK TABLE service_tickets")
        async with asyncio.timeout(PATIENCE_S):
            answers = await at_once(api, [asked] * 5)
        assert {error["extensions"]["code"] for answer in answers for error in answer["errors"]} == {
            "TIMEOUT"
        }
        await until_waiting(conn, 0)
    assert not [task for task in asyncio.all_tasks() if "_QueryGroup" in repr(task)]


async def test_who_asks_whose_it_is_begins_nothing_in_company(ask, make):
    held = await make.assigned()
    asked = (PERSON, str(held.engineer_id), ask.client.headers["Authorization"])
    first, *others = await at_once(ask, [asked] * 4)
    gc.collect()  # a coroutine that nobody awaited would say so now
    assert first["data"]["engineer"]["activeAssignments"] == 1
    assert others == [first] * 3


async def test_nobody_joins_a_company_that_all_have_left(shared_url):
    async with open_database(shared_url, pool_size=1) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        executor: Any = SimpleNamespace(context_value=SimpleNamespace(loaders=loaders))
        company = coalescing._QueryGroup(None, loaders)
        assert not company.is_full
        waiting = asyncio.create_task(company.execute(executor, 1, 60))
        await asyncio.sleep(0)
        assert not company.is_full
        waiting.cancel()
        await asyncio.wait([waiting])
        assert company.is_full
        assert company.start() is None
