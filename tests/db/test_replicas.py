"""Reads on replicas show the changes and events that their client knows; bad replicas are excluded."""

import asyncio
import re
from contextlib import asynccontextmanager

import httpx
import pytest

from app import config, doctor
from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.db import replicas
from app.db.pool import open_database
from app.domain.cursor import Cursor
from app.domain.model import Role
from tests.apps import make_app
from tests.chaos.cluster import Cluster
from tests.databases import migrate_whole, new_home
from tests.factories import DISPATCHER, Factories
from tests.serving import serving as serve_on_port
from tests.websocket_client import open_websocket, subscribe

TIMEOUT_S = 60
TICKETS = 15
ASSIGN = """mutation ($t: ID!, $e: ID!) { assignTicket(input: {ticketId: $t, engineerId: $e}) {
    ... on Assignment { id } ... on Refusal { code } } }"""
READ = "query ($t: ID!) { ticket(id: $t) { assignmentHistory { status } } }"
ANY_STATE = "0"
FOLLOW = """subscription ($ticket: ID!, $after: String!) {
    assignmentEvents(ticketId: $ticket, afterCursor: $after) { type } }"""


@pytest.fixture(scope="module")
async def cluster():
    """Three nodes; the standbys apply changes with a delay of 40 ms."""
    with new_home(in_memory=True) as home:
        cluster = Cluster(home, {"recovery_min_apply_delay": "40ms"})
        with cluster as url:
            await migrate_whole(url)
            yield cluster


@pytest.fixture(autouse=True)
def _short_poll_interval(monkeypatch):
    monkeypatch.setattr(replicas, "POLL_INTERVAL_S", 0.1)


class Client:
    def __init__(self, http, port):
        self._http, self.port = http, port

    async def ask(self, query, position, **variables):
        """Return the data and the position of the response; None sends no position."""
        response = await self._http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={} if position is None else {"Baton-Position": position},
        )
        body = response.json()
        returned = body["extensions"].get("position")
        assert response.headers.get("Baton-Position") == returned
        assert "errors" not in body, body
        return body["data"], returned

    async def history(self, ticket, position):
        """Return the statuses of the ticket's assignments; None if the ticket is not visible."""
        data, returned = await self.ask(READ, position, t=ticket)
        assert returned is None
        return data["ticket"] and [a["status"] for a in data["ticket"]["assignmentHistory"]]

    async def count(self, outcome):
        text = (await self._http.get("/metrics")).text
        match = re.search(rf'^baton_replica_reads_total{{outcome="{outcome}"}} (\S+)', text, re.MULTILINE)
        return 0 if match is None else float(match[1])

    async def wait_for_replicas(self):
        """Read until the replicas serve reads."""
        async with asyncio.timeout(TIMEOUT_S):
            before = await self.count("served")
            while await self.count("served") < before + 4:
                await self.ask(READ, ANY_STATE, t="none")


@asynccontextmanager
async def serving(cluster, tokens, **settings):
    # The primary is among the replicas, too.
    url = cluster.url(1, 2, 3, attributes="read-write")
    replica_urls = " ".join(cluster.url(n) for n in (1, 2, 3))
    app = make_app(url, database_pool_size=4, database_replica_urls=replica_urls, **settings)
    headers = {"Authorization": f"Bearer {tokens.sign(Role.DISPATCHER, None, ttl_s=600)}"}
    async with (
        open_database(url, pool_size=2) as db,
        serve_on_port(app) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as http,
    ):
        yield Client(http, server.port), Factories(db)


async def test_a_client_sees_its_own_changes(cluster, tokens):
    async with serving(cluster, tokens) as (client, make):
        await client.wait_for_replicas()
        stale = {"with position": 0, "any state": 0, "primary": 0}
        served = await client.count("served")
        for _ in range(TICKETS):
            for read in stale:
                ticket, engineer = await make.ticket(), await make.engineer()
                _, returned = await client.ask(ASSIGN, None, t=ticket, e=str(engineer))
                position = {"with position": returned, "any state": ANY_STATE, "primary": None}[read]
                stale[read] += await client.history(ticket, position) != ["ASSIGNED"]
        assert (stale["with position"], stale["primary"]) == (0, 0), stale
        assert stale["any state"] > 0, stale
        # The replicas served some of them.
        assert await client.count("served") > served + TICKETS


async def test_a_replica_that_lags_is_excluded_until_it_catches_up(cluster, tokens):
    async with serving(cluster, tokens, database_replica_lag_s=1) as (client, make):
        await client.wait_for_replicas()
        async with cluster.replay_paused():
            ticket, engineer = await make.ticket(), await make.engineer()
            _, position = await client.ask(ASSIGN, ANY_STATE, t=ticket, e=str(engineer))
            assert await client.history(ticket, position) == ["ASSIGNED"]
            assert await client.count("behind") > 0
            async with asyncio.timeout(TIMEOUT_S):
                while await client.history(ticket, ANY_STATE) != ["ASSIGNED"]:
                    pass
            served = await client.count("served")
            assert await client.history(ticket, ANY_STATE) == ["ASSIGNED"]
            assert await client.count("served") == served
        await client.wait_for_replicas()


async def test_reads_continue_without_a_stopped_replica(cluster, tokens):
    async with serving(cluster, tokens) as (client, make):
        await client.wait_for_replicas()
        ticket, engineer = await make.ticket(), await make.engineer()
        _, position = await client.ask(ASSIGN, None, t=ticket, e=str(engineer))
        # One standby must stay, or COMMIT would wait.
        await asyncio.to_thread(cluster.nodes[3].stop)
        for _ in range(20):
            assert await client.history(ticket, position) == ["ASSIGNED"]
        await asyncio.to_thread(cluster.nodes[3].start)
        await client.wait_for_replicas()


@pytest.mark.parametrize("position", ["", "-1", "1e3", "9" * 20, "0x1", "٣"])
async def test_an_invalid_position_reads_the_primary(cluster, tokens, position):
    async with serving(cluster, tokens) as (client, make):
        await client.wait_for_replicas()
        served = await client.count("served")
        ticket = await make.ticket()
        assert await client.history(ticket, position.encode()) == []
        assert await client.count("served") == served


async def test_a_subscriber_can_read_what_its_events_show(cluster, tokens):
    async with serving(cluster, tokens) as (client, make), open_websocket(client.port) as ws:
        await client.wait_for_replicas()
        assignment = await make.assigned()
        await ws.send(subscribe("f", FOLLOW, ticket=assignment.ticket_id, after=str(Cursor.after(0))))
        await ws.receive()
        async with cluster.replay_paused():
            await run(make.db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=assignment.id))
            event = (await ws.receive())["payload"]
            assert event["data"] == {"assignmentEvents": {"type": "accepted"}}
            assert await client.history(assignment.ticket_id, ANY_STATE) == ["ASSIGNED"]
            assert await client.history(assignment.ticket_id, event["extensions"]["position"]) == ["ACCEPTED"]


async def test_the_doctor_reports_the_state_of_each_replica(cluster):
    replica_urls = [cluster.url(1), cluster.url(2), "postgresql://nobody@127.0.0.1:1/nothing"]
    settings = {"DATABASE_URL": cluster.url(1), "DATABASE_REPLICA_URLS": " ".join(replica_urls)}
    lines = []
    assert await doctor.examine(config.load(settings), emit=lines.append)
    states = [line for line in lines if re.search(r"DATABASE_REPLICA_URLS, \d", line)]
    assert [re.search(r"the primary now|a standby|does not answer", line)[0] for line in states] == [
        "the primary now",
        "a standby",
        "does not answer",
    ]
