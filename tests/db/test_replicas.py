"""Reads on standbys show what their client has changed or is told of; a bad standby is left out."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager

import httpx
import pytest

from app import config, doctor
from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.db.pool import open_database
from app.domain.cursor import Cursor
from app.domain.model import Role
from tests.apps import make_app
from tests.chaos.cluster import Cluster
from tests.databases import migrate_whole, new_home
from tests.factories import DISPATCHER, Factories
from tests.serving import serving as on_a_port
from tests.websocket_client import subscribe, talking

PATIENCE_S = 60
TICKETS = 15
ASSIGN = """mutation ($t: ID!, $e: ID!) { assignTicket(input: {ticketId: $t, engineerId: $e}) {
    ... on Assignment { id } ... on Refusal { code } } }"""
READ = "query ($t: ID!) { ticket(id: $t) { assignmentHistory { status } } }"
ANY_STATE = "0"
FOLLOW = """subscription ($ticket: ID!, $after: String!) {
    assignmentEvents(ticketId: $ticket, afterCursor: $after) { type } }"""


@pytest.fixture(scope="module")
async def cluster():
    """Its standbys show a change later than the primary, but soon."""
    with new_home() as home:
        cluster = Cluster(home, {"recovery_min_apply_delay": "40ms"})
        with cluster as url:
            await migrate_whole(url)
            yield cluster


class Client:
    def __init__(self, http, port):
        self._http, self.port = http, port

    async def ask(self, query, position, **variables):
        """The data, and the position that was told; None asks for no position."""
        answer = await self._http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={} if position is None else {"Baton-Position": position},
        )
        body = answer.json()
        told = body["extensions"].get("position")
        assert answer.headers.get("Baton-Position") == told
        assert "errors" not in body, body
        return body["data"], told

    async def history(self, ticket, position):
        """The statuses of its assignments; None where the ticket is not there."""
        data, told = await self.ask(READ, position, t=ticket)
        assert told is None
        found = data["ticket"]
        return None if found is None else [one["status"] for one in found["assignmentHistory"]]

    async def count(self, outcome):
        text = (await self._http.get("/metrics")).text
        found = re.search(rf'^baton_standby_reads_total{{outcome="{outcome}"}} (\S+)', text, re.MULTILINE)
        return 0 if found is None else float(found[1])

    async def is_served_by_standbys(self):
        """From here on."""
        async with asyncio.timeout(PATIENCE_S):
            before = await self.count("served")
            while await self.count("served") < before + 4:
                await self.ask(READ, ANY_STATE, t="none")


@asynccontextmanager
async def serving(cluster, tokens, **settings):
    # All nodes are named as standbys, the primary among them.
    url = cluster.url(1, 2, 3, attributes="read-write")
    replicas = " ".join(cluster.url(n) for n in (1, 2, 3))
    app = make_app(url, database_pool_size=4, database_replica_urls=replicas, **settings)
    headers = {"Authorization": f"Bearer {tokens.sign(Role.DISPATCHER, None, ttl_s=600)}"}
    async with (
        open_database(url, pool_size=2) as db,
        on_a_port(app) as served,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", headers=headers) as http,
    ):
        yield Client(http, served.port), Factories(db)


async def test_a_change_is_seen_by_who_made_it(cluster, tokens):
    async with serving(cluster, tokens) as (client, make):
        await client.is_served_by_standbys()
        stale = {"with": 0, "without": 0, "unasked": 0}
        served = await client.count("served")
        for _ in range(TICKETS):
            for how in stale:
                ticket, engineer = await make.ticket(), await make.engineer()
                _, told = await client.ask(ASSIGN, None, t=ticket, e=str(engineer))
                position = {"with": told, "without": ANY_STATE, "unasked": None}[how]
                stale[how] += await client.history(ticket, position) != ["ASSIGNED"]
        print(f"stale reads of {TICKETS} each, by whether a position is sent: {stale}")  # noqa: T201
        assert (stale["with"], stale["unasked"]) == (0, 0), stale
        assert stale["without"] > 0, stale
        # Not all of them from the primary.
        assert await client.count("served") > served + TICKETS


async def test_a_standby_that_stands_still_is_left_out_and_comes_back(cluster, tokens):
    async with serving(cluster, tokens, database_replica_lag_s=1) as (client, make):
        await client.is_served_by_standbys()
        async with cluster.replay_paused():
            ticket, engineer = await make.ticket(), await make.engineer()
            _, told = await client.ask(ASSIGN, ANY_STATE, t=ticket, e=str(engineer))
            assert await client.history(ticket, told) == ["ASSIGNED"]
            assert await client.count("behind") > 0
            async with asyncio.timeout(PATIENCE_S):
                while await client.history(ticket, ANY_STATE) != ["ASSIGNED"]:
                    pass
            served = await client.count("served")
            assert await client.history(ticket, ANY_STATE) == ["ASSIGNED"]
            assert await client.count("served") == served
        await client.is_served_by_standbys()


async def test_a_standby_that_dies_is_done_without_and_used_again(cluster, tokens):
    async with serving(cluster, tokens) as (client, make):
        await client.is_served_by_standbys()
        ticket, engineer = await make.ticket(), await make.engineer()
        _, told = await client.ask(ASSIGN, None, t=ticket, e=str(engineer))
        # The other one stays, or nothing would be acknowledged.
        await asyncio.to_thread(cluster.nodes[3].stop)
        for _ in range(20):
            assert await client.history(ticket, told) == ["ASSIGNED"]
        await asyncio.to_thread(cluster.nodes[3].start)
        await client.is_served_by_standbys()


@pytest.mark.parametrize("position", ["", "-1", "1e3", "9" * 20, "0x1", "٣"])
async def test_a_position_that_is_none_of_ours_reads_the_primary(cluster, tokens, position):
    async with serving(cluster, tokens) as (client, make):
        await client.is_served_by_standbys()
        served = await client.count("served")
        ticket = await make.ticket()
        assert await client.history(ticket, position.encode()) == []
        assert await client.count("served") == served


async def test_what_a_follower_is_told_of_is_seen(cluster, tokens):
    async with serving(cluster, tokens) as (client, make), talking(client.port) as talk:
        await client.is_served_by_standbys()
        held = await make.assigned()
        await talk.say(subscribe("f", FOLLOW, ticket=held.ticket_id, after=str(Cursor.after(0))))
        await talk.hear()
        async with cluster.replay_paused():
            await run(make.db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
            told = (await talk.hear())["payload"]
            assert told["data"] == {"assignmentEvents": {"type": "accepted"}}
            assert await client.history(held.ticket_id, ANY_STATE) == ["ASSIGNED"]
            assert await client.history(held.ticket_id, told["extensions"]["position"]) == ["ACCEPTED"]


async def test_the_doctor_says_what_each_of_them_is(cluster):
    replicas = [cluster.url(1), cluster.url(2), "postgresql://nobody@127.0.0.1:1/nothing"]
    settings = {"DATABASE_URL": cluster.url(1), "DATABASE_REPLICA_URLS": " ".join(replicas)}
    said = []
    assert await doctor.examine(config.load(settings), say=said.append)
    of_them = [line for line in said if re.search(r"DATABASE_REPLICA_URLS, \d", line)]
    assert [re.search(r"the primary now|a standby|does not answer", line)[0] for line in of_them] == [
        "the primary now",
        "a standby",
        "does not answer",
    ]
