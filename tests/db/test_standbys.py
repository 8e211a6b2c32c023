"""Reads on standbys show what their client has changed, or is told of; standbys that are no good are left out."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager

import httpx
import pytest

from app.asgi import create_app
from app.db.pool import connect, open_database
from app.domain.model import Role
from tests.chaos.cluster import Cluster
from tests.databases import migrate_whole, new_home
from tests.make import Make

PATIENCE_S = 60
TICKETS = 15
ASSIGN = """mutation ($t: ID!, $e: ID!) { assignTicket(input: {ticketId: $t, engineerId: $e}) {
    ... on Assignment { id } ... on Refusal { code } } }"""
READ = "query ($t: ID!) { ticket(id: $t) { assignmentHistory { id } } }"
ANY_STATE = "0"


@pytest.fixture(scope="module")
async def cluster():
    """Its standbys show a change later than the primary, but soon."""
    with new_home() as home:
        cluster = Cluster(home, {"recovery_min_apply_delay": "40ms"})
        with cluster as url:
            await migrate_whole(url)
            yield cluster


class Client:
    def __init__(self, http):
        self._http = http

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

    async def assignments(self, ticket, position):
        data, told = await self.ask(READ, position, t=ticket)
        assert told is None
        return None if data["ticket"] is None else len(data["ticket"]["assignmentHistory"])

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
    url = cluster.url(1, 2, 3, attributes="read-write")
    app = create_app(url, tokens, pool_size=4, replica_urls=[cluster.url(n) for n in (2, 3)], **settings)
    headers = {"Authorization": f"Bearer {tokens.sign(Role.DISPATCHER, None, ttl_s=600)}"}
    async with (
        open_database(url, pool_size=2) as db,
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers=headers
        ) as http,
    ):
        client = Client(http)
        yield client, Make(db)


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
                stale[how] += await client.assignments(ticket, position) != 1
        print(f"stale reads of {TICKETS} each: {stale}")
        assert (stale["with"], stale["unasked"]) == (0, 0)
        assert stale["without"] > 0
        # Not all of them from the primary.
        assert await client.count("served") > served + TICKETS


async def test_a_standby_that_stands_still_is_left_out_and_comes_back(cluster, tokens):
    async with serving(cluster, tokens, replica_lag_s=1) as (client, make):
        await client.is_served_by_standbys()
        await on_standbys(cluster, "SELECT pg_wal_replay_pause()")
        ticket, engineer = await make.ticket(), await make.engineer()
        _, told = await client.ask(ASSIGN, ANY_STATE, t=ticket, e=str(engineer))
        assert await client.assignments(ticket, told) == 1
        assert await client.count("behind") > 0
        async with asyncio.timeout(PATIENCE_S):
            while await client.assignments(ticket, ANY_STATE) != 1:
                pass
        served = await client.count("served")
        assert await client.assignments(ticket, ANY_STATE) == 1
        assert await client.count("served") == served
        await on_standbys(cluster, "SELECT pg_wal_replay_resume()")
        await client.is_served_by_standbys()


async def test_a_standby_that_dies_is_done_without_and_used_again(cluster, tokens):
    async with serving(cluster, tokens) as (client, make):
        await client.is_served_by_standbys()
        ticket, engineer = await make.ticket(), await make.engineer()
        _, told = await client.ask(ASSIGN, None, t=ticket, e=str(engineer))
        # The other one stays, or nothing would be acknowledged.
        await asyncio.to_thread(cluster.nodes[3].stop)
        for _ in range(20):
            assert await client.assignments(ticket, told) == 1
        await asyncio.to_thread(cluster.nodes[3].start)
        await client.is_served_by_standbys()


@pytest.mark.parametrize("position", ["", "-1", "1e3", "9" * 20, "0x1", "٣"])
async def test_a_position_that_is_none_of_ours_reads_the_primary(cluster, tokens, position):
    async with serving(cluster, tokens) as (client, make):
        await client.is_served_by_standbys()
        served = await client.count("served")
        ticket = await make.ticket()
        assert await client.assignments(ticket, position.encode()) == 0
        assert await client.count("served") == served


async def on_standbys(cluster, statement):
    for number in cluster.standbys:
        async with connect(cluster.url(number)) as conn:
            await conn.execute(statement)
