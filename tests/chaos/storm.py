"""A storm: many clients read while tables are locked, then each asks alone. Both answers must be equal.

`python -m tests.chaos.storm --rounds 12`
"""

import argparse
import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import structlog

from app.db.connections import DEFAULT_LIMITS, TimeLimits, connect
from app.db.pool import open_database
from app.demo.load import seed
from app.domain.model import Role
from app.graphql.admission.limits import Limits
from tests.apps import TOKENS, make_app
from tests.databases import migrate_whole, new_database, new_server
from tests.serving import serving

TABLES = ("service_tickets", "engineer_assignments", "engineers", "equipment", "hourly_rates")
EXPLAINED = {"UNAVAILABLE", "TIMEOUT"}
"""The codes of answers that may differ: they say that the same request may succeed later."""
_PERIOD = '(from: "2026-09-01T00:00:00Z", to: "2027-02-01T00:00:00Z")'
DOCUMENTS = (
    "query ($t: ID!) { ticket(id: $t) { id status currentAssignment { id status engineer { name } } } }",
    "query ($t: ID!) { ticket(id: $t) { assignmentHistory { id engineer { name } equipment { name } } } }",
    "query ($t: ID!) { ticket(id: $t) { equipment { name } timeByEngineer { engineer { name } } } }",
    "query ($a: ID!) { assignment(id: $a) { id isCurrent ticket { totalTimeSpentHours } } viewer { role } }",
    "query ($e: ID!) { engineer(id: $e) { name activeAssignments assignments(first: 3) { totalCount } } }",
    "{ tickets(first: 5, filter: {unassigned: true}) { totalCount nodes { id equipment { name } } } }",
    '{ tickets(first: 5, filter: {search: "a"}) { nodes { id currentAssignment { engineer { name } } } } }',
    "{ engineers(first: 20) { nodes { id name activeAssignments } } viewer { subject role } }",
    "query ($t: ID!) { suggestEngineers(ticketId: $t, tier: 2) { engineer { name } reasons } }",
    "query ($e: ID!) { hourlyRates(engineerId: $e) { totalCount nodes { hourlyRate setBy } } }",
    f"{{ statistics{_PERIOD} {{ outcomes {{ assignments }} timeToAccept {{ counted p50Seconds }} }} }}",
    f"{{ billableTime{_PERIOD} {{ totals {{ lines }} lines(first: 3) {{ nodes {{ timeSpentHours }} }} }} }}",
    "mutation ($a: ID!) { rateAssignment(input: {assignmentId: $a, rating: 9}) { __typename } }",
    """mutation ($t: ID!, $e: ID!) {
        assignTicket(input: {ticketId: $t, engineerId: $e, expectedSequence: 999}) {
            __typename ... on StaleSequence { currentSequence currentAssignment { id status } } } }""",
    "{ tickets(first: 1000) { nodes { id } } }",
    "{ nothing }",
)


@dataclass(frozen=True)
class Request:
    document: str
    variables: dict[str, str]
    token: str


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def errors(self) -> list[Any]:
        return self.body.get("errors", [])

    @property
    def codes(self) -> set[str]:
        return {error["extensions"]["code"] for error in self.errors}


@dataclass
class Round:
    lock_s: float
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def compare(self, request: Request, stormed: Answer, alone: Answer) -> None:
        is_equal = stormed == alone
        self.answers["equal" if is_equal else ", ".join(sorted(stormed.codes)) or "other data"] += 1
        if not is_equal and not is_explained(stormed, alone):
            self.problems.append(f"{self.lock_s:.1f} s: {request}: {stormed} but alone {alone}")


def is_explained(stormed: Answer, alone: Answer) -> bool:
    """Whether an answer says for each value that differs that it could not be read."""
    if not stormed.codes or not stormed.codes <= EXPLAINED:
        return False
    paths = [tuple(error.get("path", ())) for error in stormed.errors]
    return _is_explained(stormed.body.get("data"), alone.body.get("data"), (), paths)


def _is_explained(stormed: Any, alone: Any, at: tuple[Any, ...], paths: Sequence[tuple[Any, ...]]) -> bool:
    if stormed == alone:
        return True
    if stormed is None:
        return any(path[: len(at)] == at for path in paths)
    if type(stormed) is not type(alone) or not isinstance(stormed, dict | list) or len(stormed) != len(alone):
        return False
    keys = stormed if isinstance(stormed, dict) else range(len(stormed))
    return all(_is_explained(stormed[key], alone[key], (*at, key), paths) for key in keys)


async def ask(client: httpx.AsyncClient, request: Request, *, after_s: float = 0) -> Answer:
    await asyncio.sleep(after_s)
    response = await client.post(
        "/graphql",
        json={"query": request.document, "variables": request.variables},
        headers={"Authorization": f"Bearer {request.token}"} if request.token else {},
    )
    body = response.json()
    body.pop("extensions", None)  # the cost tells how much of the bucket is left
    return Answer(response.status_code, body)


async def hold_locks(url: str, rng: random.Random, lock_s: float) -> None:
    """Lock one or two tables, the second a moment later, against all reads."""
    async with connect(url) as conn:
        try:
            async with conn.transaction():
                for table in rng.sample(TABLES, rng.randint(1, 2)):
                    await conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                    await asyncio.sleep(lock_s / 2)
        except asyncpg.DeadlockDetectedError:
            pass  # the server chose this transaction as the victim


async def requests_of(conn: Any, rng: random.Random) -> Iterator[Request]:
    """Yield requests of mixed documents, rows and roles, without an end."""
    tickets, assignments, engineers = [
        [str(row[0]) for row in await conn.fetch(f"SELECT id FROM {table} ORDER BY id LIMIT 40")]
        for table in ("service_tickets", "engineer_assignments", "engineers")
    ]
    roles = [(role, None) for role in (Role.ADMIN, Role.DISPATCHER, Role.AUDITOR)]
    roles += [(Role.ENGINEER, engineer) for engineer in engineers[:6]]
    tokens = ["", *(TOKENS.sign(role, engineer, ttl_s=3600) for role, engineer in roles)]

    def choose() -> Iterator[Request]:
        while True:
            variables = {"t": rng.choice(tickets), "a": rng.choice(assignments), "e": rng.choice(engineers)}
            document = rng.choice(DOCUMENTS)
            used = {name: value for name, value in variables.items() if f"${name}:" in document}
            yield Request(document, used, rng.choice(tokens))

    return choose()


async def storm(
    url: str, locks_s: Sequence[float], *, clients: int, seed_: int = 1, limits: TimeLimits = DEFAULT_LIMITS
) -> list[Round]:
    """Run a round per lock on a database with demo data."""
    rng = random.Random(seed_)  # noqa: S311 - chooses what is asked
    app = make_app(
        url,
        database_pool_size=10,
        limits=Limits(bucket=10**9, read_timeout_s=limits.statement_s),
        time_limits=limits,
    )
    rounds = []
    async with (
        serving(app) as served,
        httpx.AsyncClient(
            base_url=served.base_url,
            timeout=60,
            limits=httpx.Limits(max_connections=clients, keepalive_expiry=1),
        ) as client,
    ):
        async with connect(url) as conn:
            requests = await requests_of(conn, rng)
        for lock_s in locks_s:
            round_ = Round(lock_s)
            asked = [next(requests) for _ in range(clients)]
            locking = asyncio.create_task(hold_locks(url, rng, lock_s))
            stormed = await asyncio.gather(
                *(ask(client, request, after_s=rng.uniform(0, lock_s)) for request in asked)
            )
            await locking
            for request, answer in zip(asked, stormed, strict=True):
                round_.compare(request, answer, await ask(client, request))
            rounds.append(round_)
            print(f"{lock_s:5.1f} s  {dict(round_.answers)}  problems: {len(round_.problems)}", flush=True)
    return rounds


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # From 1 to 15 s, which is below and above all timeouts.
    locks_s = [1 + 14 * number / max(arguments.rounds - 1, 1) for number in range(arguments.rounds)]
    with new_server() as server:
        async with new_database(server) as url:
            await migrate_whole(url)
            async with open_database(url, pool_size=1) as db:
                await seed(db, tickets=2000)
            rounds = await storm(url, locks_s, clients=200, seed_=arguments.seed)
    problems = [problem for round_ in rounds for problem in round_.problems]
    print(sum((round_.answers for round_ in rounds), Counter()))
    if problems:
        raise SystemExit("\n".join(problems[:20]))


if __name__ == "__main__":
    asyncio.run(main())
