"""/metrics: values, access, and a bounded number of series."""

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
from tests.polling import until
from tests.serving import serving
from tests.websocket_client import open_websocket, subscribe

TOKEN = "a token of thirty-two characters"  # noqa: S105 - of tests only
MINE = next(text for text in own_documents().values() if "query MyWork" in text)
ACCEPT = "mutation A($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"
FOLLOW = "subscription { assignmentEvents { type } }"


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    response = await client.get("/metrics")
    assert (response.status_code, response.headers["content-type"]) == (200, CONTENT_TYPE)
    return samples(response.text)


def values_of(name: str, metrics: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in metrics.items() if key[0] == f"baton_{name}"}


async def post(client: httpx.AsyncClient, query: str, **more: object) -> httpx.Response:
    return await client.post("/graphql", json={"query": query, **more})


async def test_only_trusted_operations_are_counted_by_name(own_client):
    await post(own_client, MINE)
    for name in ("Theirs", "Another"):
        await post(own_client, f"query {name} {{ viewer {{ role }} }}")
    await post(own_client, "{ nothing }")
    await post(own_client, "{")
    metrics = await scrape(own_client)
    assert values_of("operations_total", metrics) == {
        ("code=OK", "operation=MyWork", "transport=http", "type=query"): 1,
        ("code=OK", "operation=other", "transport=http", "type=query"): 2,
        ("code=BAD_USER_INPUT", "operation=other", "transport=http", "type=query"): 1,
        ("code=BAD_USER_INPUT", "operation=other", "transport=http", "type=none"): 1,
    }
    assert values_of("operation_duration_seconds_count", metrics)["transport=http", "type=query"] == 4
    assert values_of("http_responses_total", metrics) == {("path=/graphql", "status=200"): 5}


async def test_refusals_are_counted_by_mutation_and_code(own_client, make):
    assignment = await make.assigned()
    for _ in range(3):
        await post(own_client, ACCEPT, variables={"id": str(assignment.id)})
    assert values_of("refusals_total", await scrape(own_client)) == {
        ("code=TRANSITION_NOT_ALLOWED", "mutation=acceptAssignment"): 2
    }


async def test_http_responses_are_counted_by_status(own_client):
    await own_client.post("/graphql", json={}, headers={"Authorization": "Bearer wrong"})
    await own_client.get("/unknown-path")
    metrics = values_of("http_responses_total", await scrape(own_client))
    assert metrics == {("path=/graphql", "status=401"): 1, ("path=other", "status=404"): 1}


async def test_statements_batches_and_the_pool_are_measured(own_client, make):
    for _ in range(3):
        await make.assigned()
    await post(own_client, "{ tickets { nodes { currentAssignment { engineer { name } } } } }")
    metrics = await scrape(own_client)
    assert values_of("loader_batch_size_sum", metrics) == {
        ("loader=ticket_page",): 1,
        ("loader=current_assignment",): 3,
        ("loader=engineer",): 3,
    }
    statements = values_of("statement_duration_seconds_count", metrics)
    assert statements["statement=tickets.newest_tickets",] == 1
    assert values_of("pool_acquire_seconds_count", metrics) == {(): 3}
    assert values_of("pool_connections", metrics)["state=used",] == 0
    assert values_of("pool_waiting", metrics) == {(): 0}


async def test_a_change_measures_its_statements_and_the_lock_wait(own_client, make):
    assignment = await make.assigned()
    await post(own_client, ACCEPT, variables={"id": str(assignment.id)})
    metrics = await scrape(own_client)
    statements = values_of("statement_duration_seconds_count", metrics)
    for name in ("assignments.ticket_snapshots", "assignments.save_changes"):
        assert statements[f"statement={name}",] == 1, name
    assert values_of("ticket_lock_wait_seconds_count", metrics) == {(): 1}


async def test_requests_that_wait_for_a_connection_are_counted(fresh_db):
    async with fresh_db.connection():
        others = [fresh_db.connection() for _ in range(9)]
        for each in others:
            await each.__aenter__()
        late = asyncio.create_task(anext(fresh_db.connection().gen))
        await asyncio.sleep(0)
        metrics = samples(fresh_db.metrics.text().decode())
        used = values_of("pool_connections", metrics)["state=used",]
        assert (values_of("pool_waiting", metrics), used) == ({(): 1}, 10)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        for each in others:
            await each.__aexit__(None, None, None)
    assert values_of("pool_waiting", samples(fresh_db.metrics.text().decode())) == {(): 0}


async def test_retries_are_counted_by_cause(fresh_db):
    results = iter((ConnectionResetError(), None))

    async def lost_once(_):
        if (error := next(results)) is not None:
            raise Unavailable from error

    await fresh_db.in_transaction(lost_once)
    metrics = samples(fresh_db.metrics.text().decode())
    assert values_of("transaction_retries_total", metrics) == {("cause=ConnectionResetError",): 1}
    assert values_of("transaction_unknown_outcomes_total", metrics) == {(): 0}


async def until_subscribers(client: httpx.AsyncClient, count: int) -> None:
    """Wait until the feed has polled and has `count` subscribers."""

    async def has_subscribers() -> bool:
        metrics = await scrape(client)
        has_polled = values_of("feed_last_poll_timestamp_seconds", metrics)[()] > 0
        return values_of("feed_subscribers", metrics)[()] == count and has_polled

    await until(has_subscribers)


async def test_subscriptions_and_streams_are_measured(fresh_url, fresh_db):
    app = make_app(fresh_url)
    async with (
        serving(app) as served,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}") as client,
    ):
        async with open_websocket(served.port) as ws, streaming(served, FOLLOW) as stream:
            await ws.send(subscribe("1", FOLLOW))
            assert await ws.is_usable()
            await until_subscribers(client, 2)
            await Factories(fresh_db).assigned()
            assert (await ws.receive())["payload"]["data"] == {"assignmentEvents": {"type": "assigned"}}
            assert (await stream.receive())[0] == "next"
            metrics = await scrape(client)
            assert values_of("open_streams", metrics) == {("transport=sse",): 1, ("transport=ws",): 1}
            assert values_of("feed_lag_seconds_count", metrics) == {(): 1}
            assert values_of("feed_gaps", metrics) == {(): 0}
        await until_subscribers(client, 0)
        operations = values_of("operations_total", await scrape(client))
        assert operations["code=OK", "operation=other", "transport=ws", "type=subscription"] == 1
        assert operations["code=OK", "operation=other", "transport=ws", "type=query"] == 1


async def test_reconnects_of_the_feed_are_counted():
    metrics = Metrics()
    running = asyncio.create_task(Feed("postgresql://127.0.0.1:9/none", metrics).run())
    await until(lambda: values_of("feed_reconnects_total", samples(metrics.text().decode()))[()])
    running.cancel()


async def test_jobs_are_counted_by_outcome(fresh_db):
    outcomes = iter((None, Unavailable(), RuntimeError()))
    done = asyncio.Event()

    async def job(_):
        outcome = next(outcomes, None)
        if outcome is None:
            return
        raise outcome

    async def last(_):
        metrics = values_of("job_runs_total", samples(fresh_db.metrics.text().decode()))
        if sum(value for labels, value in metrics.items() if "job=x" in labels) > 3:
            done.set()

    async with running_jobs(fresh_db, [Job("x", 0.001, job), Job("last", 0.001, last)]), asyncio.timeout(20):
        await done.wait()
    metrics = values_of("job_runs_total", samples(fresh_db.metrics.text().decode()))
    assert (metrics["job=x", "outcome=failed"], metrics["job=x", "outcome=put_off"]) == (1, 1)
    assert metrics["job=x", "outcome=done"] >= 1


async def test_clients_cannot_create_series(own_client):
    await post(own_client, "query First { viewer { role } }")
    before = set(await scrape(own_client))
    for number in range(20):
        await post(own_client, f"query Q{number} {{ a{number}: viewer {{ role }} }}")
        await own_client.get(f"/path-{number}")
        await own_client.get("/livez", headers={"X-Request-Id": f"r-{number}"})
    after = set(await scrape(own_client))
    assert {key for key in after - before if not any("status=" in part for part in key)} == set()
    assert len([key for key in after if "status=404" in key]) == 1


@pytest.mark.parametrize(
    ("production", "token", "authorization", "status"),
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
async def test_metrics_require_the_token(shared_url, production, token, authorization, status):
    app = make_app(
        shared_url,
        app_env="production" if production else "development",
        metrics_token=token,
        allowed_hosts=("a.example",),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.1") as client:
        headers = {} if authorization is None else {"Authorization": authorization.encode()}
        response = await client.get("/metrics", headers=headers)
    assert response.status_code == status
    assert ("baton_" in response.text) == (status == 200)


def test_a_short_token_is_refused():
    with pytest.raises(SettingsError, match=r"^METRICS_TOKEN must have 32 characters or more\.$"):
        load({"METRICS_TOKEN": "x" * 31})


async def test_metrics_contain_no_personal_data(own_client, make):
    assignment = await make.assigned(ticket=await make.ticket(customer_name="Clinic of Secrets"))
    await post(own_client, ACCEPT, variables={"id": str(assignment.id)})
    text = (await own_client.get("/metrics")).text
    for secret in ("Clinic", "Ana", "dispatcher@", str(assignment.id), assignment.ticket_id):
        assert secret not in text


async def test_two_applications_do_not_add_up(own_client, shared_url):
    await post(own_client, "{ viewer { role } }")
    transport = httpx.ASGITransport(make_app(shared_url))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as other:
        assert values_of("operations_total", await scrape(other)) == {}
