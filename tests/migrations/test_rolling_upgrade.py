"""A server keeps serving while a newer release migrates, if the migration says that it may."""

import asyncio
import shutil
from itertools import cycle

import pytest

from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from app.db.migrator import LockPolicy
from app.domain.model import Role
from app.graphql.admission.limits import Limits
from tests.apps import authorization, client_of, make_app
from tests.commands.samples import SAMPLES, to_input
from tests.commands.world import World
from tests.factories import Factories

READ = """
query {
  tickets(first: 20) { totalCount nodes {
    id equipment { name } currentAssignment { id engineer { name } } assignmentHistory { status assignedAt }
    escalationCount totalTimeSpentHours
  } }
  engineers(first: 20) { nodes { name activeAssignments } }
}"""
# Every table of the server, one at a time, as a migration must lock them.
TABLES = [
    "engineers", "equipment", "service_tickets", "engineer_assignments", "ticket_events", "ticket_details",
    "idempotency_keys", "assignment_tiers", "engineer_tiers", "hourly_rates", "dropped_events",
]  # fmt: skip
NEXT = read(sql.MIGRATIONS)[-1].version + 1
PATIENT = LockPolicy(retry_delay_s=0.05, max_attempts=500)


def next_release(folder, directives):
    """Write the migrations of a release that adds to each table, and a new table."""
    shutil.copytree(sql.MIGRATIONS, folder)
    up = [f"ALTER TABLE public.{table} ADD IF NOT EXISTS added text DEFAULT 'x';" for table in TABLES]
    up += ["CREATE TABLE IF NOT EXISTS public.added (id int);"]
    up += ["CREATE INDEX CONCURRENTLY IF NOT EXISTS added_index ON public.engineer_assignments (added);"]
    down = [f"ALTER TABLE public.{table} DROP IF EXISTS added;" for table in TABLES]
    down += ["DROP TABLE IF EXISTS public.added;"]
    for direction, statements in (("up", up), ("down", down)):
        first_line = f"-- migrate: {directives if direction == 'up' else 'no-transaction'}\n"
        file = folder / f"{NEXT:04}_added.{direction}.sql"
        file.write_text(first_line + "\n-- next\n".join(statements), encoding="utf-8")
    return folder


class Traffic:
    """Reads, every kind of change, and probes; `failures` contains all responses but the expected ones."""

    def __init__(self, client, db):
        self.client, self.make, self.world = client, Factories(db), World(db)
        self.requests, self.failures = 0, []

    async def check(self, response, is_expected):
        self.requests += 1
        if response.status_code != 200 or not is_expected(response.json()):
            self.failures.append(response.text)

    async def post(self, query, **variables):
        response = await self.client.post("/graphql", json={"query": query, "variables": variables})
        await self.check(response, lambda body: "errors" not in body)

    async def read(self):
        while True:
            await self.post(READ)
            await self.check(await self.client.get("/readyz"), lambda body: body["ready"])

    async def change(self):
        for sample in cycle(SAMPLES):
            command, _ = await sample.prepare(self.make, self.world)
            name = sample.field_name
            type_name = f"{name[0].upper()}{name[1:]}Input!"
            mutation = f"mutation($input: {type_name}) {{ {name}(input: $input) {{ __typename }} }}"
            await self.post(mutation, input=to_input(command))

    async def until_more(self, count):
        target = self.requests + count
        while self.requests < target:  # noqa: ASYNC110 - the requests are of other tasks
            await asyncio.sleep(0.01)


@pytest.fixture
async def client(fresh_url):
    app = make_app(fresh_url, database_pool_size=4, limits=Limits(bucket=10**9))
    async with client_of(app, headers=authorization(Role.ADMIN)) as client:
        yield client


async def test_a_server_serves_every_request_during_an_upgrade_and_back(
    client, fresh_url, fresh_db, tmp_path
):
    newer = next_release(tmp_path / "newer", "no-transaction, works with 0.1")
    traffic = Traffic(client, fresh_db)
    async with asyncio.timeout(120), connect(fresh_url) as conn:
        tasks = [asyncio.create_task(work()) for work in (traffic.read, traffic.change, traffic.change)]
        for migrate_to in (migrate.up, migrate.down, migrate.up):
            await traffic.until_more(60)
            await migrate_to(conn, newer, lock_policy=PATIENT)
        await traffic.until_more(60)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}, outcomes
    assert traffic.failures == []
    assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("directives", "advice"),
    [
        ("no-transaction, works with 0.0", None),
        ("no-transaction, works with 0.1", None),
        ("no-transaction, works with 9.10", "use release 9.10 or newer."),
        (
            "no-transaction",
            "use the release that has it; a database of an unreleased version must be created again.",
        ),
    ],
)
async def test_readiness_follows_what_the_newer_migration_declares(
    client, fresh_url, tmp_path, directives, advice
):
    newer = next_release(tmp_path / "newer", directives)
    async with connect(fresh_url) as conn:
        await migrate.up(conn, newer)
        body = (await client.get("/readyz")).json()
        if advice:
            advice = f"The database has migration {NEXT:04}_added, which this release does not know: {advice}"
        assert body == {"ready": advice is None, "reason": advice}
        await migrate.down(conn, newer)
    assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("migration", read(sql.MIGRATIONS), ids=lambda m: m.label)
def test_each_migration_declares_the_oldest_release_that_works_with_it(migration):
    assert migration.works_with
