"""What /metrics tells, to whom, and that no client can make it tell ever more."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.config import SettingsError, load
from app.db.errors import Unavailable
from app.events import Feed
from app.graphql.admission.trusted_documents import own_documents
from app.jobs.runner import Job, running_jobs
from app.observability.metrics import CONTENT_TYPE, Metrics
from tests.apps import make_app
from tests.factories import Factories
from tests.graphql.transport.test_sse import streaming
from tests.serving import serving
from tests.websocket_client import subscribe, talking

TOKEN = "a token of thirty-two characters"  # noqa: S105 - of tests only
MINE = next(text for text in own_documents().values() if "query MyWork" in text)
ACCEPT = "mutation A($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"
FOLLOW = "subscription { assignmentEvents { type } }"


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels, without those of the process."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    return samples(answer.text)


def of(name: str, found: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in found.items() if key[0] == f"baton_{name}"}


async def post(client: httpx.AsyncClient, query: str, **more: object) -> httpx.Response:
    return await client.post("/graphql", json={"query": query, **more})


async def test_operations_are_counted_by_name_only_where_they_are_trusted(client):
    await post(client, MINE)
    for name in ("Theirs", "Another"):
        await post(client, f"query {name} {{ viewer {{ role }} }}")
    await post(client, "{ nothing }")
    await post(client, "{")
    found = await scraped(client)
    assert of("operations_total", found) == {
        ("code=OK", "operation=MyWork", "transport=http", "type=query"): 1,
        ("code=OK", "operation=other", "transport=http", "type=query"): 2,
        ("code=BAD_USER_INPUT", "operation=other", "transport=http", "type=query"): 1,
        ("code=BAD_USER_INPUT", "operation=other", "transport=http", "type=none"): 1,
    }
    assert of("operation_duration_seconds_count", found)["transport=http", "type=query"] == 4
    assert of("http_responses_total", found) == {("path=/graphql", "status=200"): 5}


async def test_refusals_are_counted_by_mutation_and_code(client, make):
    held = await make.assigned()
    for _ in range(3):
        await post(client, ACCEPT, variables={"id": str(held.id)})
    assert of("refusals_total", await scraped(client)) == {
        ("code=TRANSITION_NOT_ALLOWED", "mutation=acceptAssignment"): 2
    }


async def test_what_is_refused_before_graphql_is_counted_by_its_status(client):
    await client.post("/graphql", json={}, headers={"Authorization": "Bearer wrong"})
    await client.get("/a-path-of-theirs")
    found = of("http_responses_total", await scraped(client))
    assert found == {("path=/graphql", "status=401"): 1, ("path=other", "status=404"): 1}


async def test_statements_batches_and_the_pool_are_measured(client, make):
    for _ in range(3):
        await make.assigned()
    await post(client, "{ tickets { nodes { currentAssignment { engineer { name } } } } }")
    found = await scraped(client)
    assert of("loader_batch_size_sum", found) == {
        ("loader=ticket_page",): 1,
        ("loader=current_assignment",): 3,
        ("loader=engineer",): 3,
    }
    statements = of("statement_duration_seconds_count", found)
    assert statements["statement=tickets.newest_tickets",] == 1
    assert of("pool_acquire_seconds_count", found) == {(): 3}
    assert of("pool_connections", found)["state=used",] == 0
    assert of("pool_waiting", found) == {(): 0}


async def test_a_change_is_measured_from_its_turn_to_its_end(client, make):
    held = await make.assigned()
    await post(client, ACCEPT, variables={"id": str(held.id)})
    found = await scraped(client)
    statements = of("statement_duration_seconds_count", found)
    for name in ("assignments.ticket_snapshot", "assignments.save_change"):
        assert statements[f"statement={name}",] == 1, name
    assert of("turn_wait_seconds_count", found) == {(): 1}


async def test_who_waits_for_a_connection_is_seen(fresh_db):
    async with fresh_db.connection():
        others = [fresh_db.connection() for _ in range(9)]
        for each in others:
            await each.__aenter__()
        late = asyncio.create_task(anext(fresh_db.connection().gen))
        await asyncio.sleep(0)
        found = samples(fresh_db.metrics.text().decode())
        assert (of("pool_waiting", found), of("pool_connections", found)["state=used",]) == ({(): 1}, 10)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        for each in others:
            await each.__aexit__(None, None, None)
    assert of("pool_waiting", samples(fresh_db.metrics.text().decode())) == {(): 0}


async def test_second_tries_are_counted_by_their_cause(fresh_db):
    tries = iter((ConnectionResetError(), None))

    async def lost_once(_):
        if (fault := next(tries)) is not None:
            raise Unavailable from fault

    await fresh_db.in_transaction(lost_once)
    found = samples(fresh_db.metrics.text().decode())
    assert of("transaction_retries_total", found) == {("cause=ConnectionResetError",): 1}
    assert of("transaction_unknown_outcomes_total", found) == {(): 0}


async def follow(client: httpx.AsyncClient, number: int) -> None:
    """Until so many follow a feed that has begun, as is seen from outside."""
    async with asyncio.timeout(20):
        while True:
            found = await scraped(client)
            if (
                of("feed_followers", found)[()] == number
                and of("feed_last_look_timestamp_seconds", found)[()]
            ):
                return
            await asyncio.sleep(0.01)


async def test_followers_streams_and_what_they_are_told_are_measured(fresh_url, tokens, fresh_db):
    app = make_app(fresh_url)
    async with serving(app) as served, httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}") as asked:
        async with talking(served.port) as talk, streaming(served, FOLLOW) as stream:
            await talk.say(subscribe("1", FOLLOW))
            assert await talk.is_well()
            await follow(asked, 2)
            await Factories(fresh_db).assigned()
            assert (await talk.hear())["payload"]["data"] == {"assignmentEvents": {"type": "assigned"}}
            assert (await stream.hear())[0] == "next"
            found = await scraped(asked)
            assert of("open_streams", found) == {("transport=sse",): 1, ("transport=ws",): 1}
            assert of("feed_lag_seconds_count", found) == {(): 1}
            assert of("feed_gaps", found) == {(): 0}
        await follow(asked, 0)
        operations = of("operations_total", await scraped(asked))
        assert operations["code=OK", "operation=other", "transport=ws", "type=subscription"] == 1
        assert operations["code=OK", "operation=other", "transport=ws", "type=query"] == 1


async def test_a_feed_that_loses_its_connection_is_counted():
    metrics = Metrics()
    running = asyncio.create_task(Feed("postgresql://127.0.0.1:9/none", metrics).run())
    async with asyncio.timeout(20):
        while not of("feed_connection_losses_total", samples(metrics.text().decode()))[()]:  # noqa: ASYNC110 - as a scraper does
            await asyncio.sleep(0.01)
    running.cancel()


async def test_jobs_are_counted_by_their_outcome(fresh_db):
    outcomes = iter((None, Unavailable(), RuntimeError()))
    done = asyncio.Event()

    async def job(_):
        outcome = next(outcomes, None)
        if outcome is None:
            return
        raise outcome

    async def last(_):
        found = of("job_runs_total", samples(fresh_db.metrics.text().decode()))
        if sum(value for labels, value in found.items() if "job=x" in labels) > 3:
            done.set()

    async with running_jobs(fresh_db, [Job("x", 0.001, job), Job("last", 0.001, last)]), asyncio.timeout(20):
        await done.wait()
    found = of("job_runs_total", samples(fresh_db.metrics.text().decode()))
    assert (found["job=x", "outcome=failed"], found["job=x", "outcome=put_off"]) == (1, 1)
    assert found["job=x", "outcome=done"] >= 1


async def test_names_of_theirs_make_no_more_series(client):
    await post(client, "query First { viewer { role } }")
    before = set(await scraped(client))
    for number in range(20):
        await post(client, f"query Q{number} {{ a{number}: viewer {{ role }} }}")
        await client.get(f"/path-{number}")
        await client.get("/livez", headers={"X-Request-Id": f"r-{number}"})
    after = set(await scraped(client))
    assert {key for key in after - before if not any("status=" in part for part in key)} == set()
    assert len([key for key in after if "status=404" in key]) == 1


@pytest.mark.parametrize(
    ("production", "token", "said", "status"),
    [
        (False, "", None, 200),
        (False, TOKEN, None, 401),
        (True, "", None, 404),
        (True, "", "Bearer ", 404),
        (True, TOKEN, None, 401),
        (True, TOKEN, "Bearer wrong", 401),
        (True, TOKEN, "Bearer é", 401),
        (True, TOKEN, TOKEN, 401),
        (True, TOKEN, f"Bearer {TOKEN}", 200),
    ],
)
async def test_in_production_only_who_has_the_token_is_told(
    shared_url, tokens, production, token, said, status
):
    app = make_app(
        shared_url,
        app_env="production" if production else "development",
        metrics_token=token,
        allowed_hosts=("a.example",),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.1") as client:
        answer = await client.get(
            "/metrics", headers={} if said is None else {"Authorization": said.encode()}
        )
    assert answer.status_code == status
    assert ("baton_" in answer.text) == (status == 200)


def test_a_short_token_stops_the_start():
    with pytest.raises(SettingsError, match=r"^METRICS_TOKEN must have 32 characters or more\.$"):
        load({"METRICS_TOKEN": "x" * 31})


async def test_it_tells_nothing_of_people(client, make):
    held = await make.assigned(ticket=await make.ticket(customer_name="Clinic of Secrets"))
    await post(client, ACCEPT, variables={"id": str(held.id)})
    text = (await client.get("/metrics")).text
    for secret in ("Clinic", "Ana", "dispatcher@", str(held.id), held.ticket_id):
        assert secret not in text


async def test_two_applications_do_not_add_up(client, shared_url, tokens):
    await post(client, "{ viewer { role } }")
    other = make_app(shared_url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://test") as asked:
        assert of("operations_total", await scraped(asked)) == {}
