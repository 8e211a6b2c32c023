"""A chaos run: clients retry until they are answered, while servers and the database are killed.

`python -m tests.chaos.run --seconds 600 --servers 2`
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import uuid4

import httpx

from app.db.connections import connect
from app.db.pool import open_database
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import SECRET
from tests.chaos.checker import AssignmentState, Event, History, Operation, Read, Row, violations
from tests.chaos.cluster import Cluster
from tests.chaos.faults import DRAIN_S, PATIENCE_S, ClusterFaults, Faults, Server
from tests.chaos.follower import Follower
from tests.chaos.patroni import PatroniCluster
from tests.chaos.proxy import Proxy
from tests.databases import free_port, migrate_whole, new_home
from tests.factories import Factories
from tests.pgbouncer import create_role, pgbouncer, through

OPEN_TICKETS, ENGINEERS, WRITERS, READERS, FOLLOWERS = 6, 8, 8, 2, 2
NO_FAULT = "nothing"

_ASSIGNING = {"ticket": "ID!", "engineer": "ID!"}
_CHANGING = {"assignment": "ID!"}


def _mutation(name: str, options: str, types: Mapping[str, str]) -> str:
    declared = ", ".join(f"${variable}: {kind}" for variable, kind in {"id": "String!", **types}.items())
    return f"""mutation ({declared}) {{ done: {name}(input: {{{options}, idempotencyKey: $id}}) {{
        ... on Assignment {{ assignmentSequence }} ... on Refusal {{ code }} }} }}"""


MUTATIONS = {
    "assign": _mutation("assignTicket", "ticketId: $ticket, engineerId: $engineer, reason: $id", _ASSIGNING),
    "reassign": _mutation(
        "reassignTicket", "ticketId: $ticket, engineerId: $engineer, reason: $id", _ASSIGNING
    ),
    "escalate": _mutation(
        "escalateTicket", "ticketId: $ticket, nextEngineerId: $engineer, reason: $id", _ASSIGNING
    ),
    "accept": _mutation("acceptAssignment", "assignmentId: $assignment", _CHANGING),
    "start": _mutation("startAssignment", "assignmentId: $assignment", _CHANGING),
    "complete": _mutation(
        "completeAssignment",
        "assignmentId: $assignment, completionStatus: $outcome, timeSpentHours: $hours",
        {**_CHANGING, "outcome": "CompletionStatus!", "hours": "Decimal!"},
    ),
    "cancel": _mutation("cancelAssignment", "assignmentId: $assignment, reason: $id", _CHANGING),
    "rate": _mutation(
        "rateAssignment", "assignmentId: $assignment, rating: $stars", _CHANGING | {"stars": "Int!"}
    ),
}
WEIGHTS: dict[str, dict[str, int]] = {
    "ASSIGNED": {"accept": 4, "start": 1, "reassign": 3, "escalate": 2, "cancel": 1},
    "ACCEPTED": {"start": 4, "complete": 2, "reassign": 1, "escalate": 1, "cancel": 1},
    "IN_PROGRESS": {"complete": 5, "reassign": 1, "escalate": 2, "cancel": 1},
    "COMPLETED": {"assign": 4, "rate": 1},
    "FAILED": {"assign": 4, "rate": 1},
    "CANCELLED": {"assign": 1},
}
"""Weights of the next operation, by the status of the last assignment."""
READ = """query ($t: ID!) { ticket(id: $t) { totalTimeSpentHours
    assignmentHistory { id assignmentReason status acceptedAt startedAt customerRating } } }"""
ROWS = """
SELECT ticket_id, assignment_sequence, assignment_reason, status, assigned_at, time_spent_hours, accepted_at,
    started_at, customer_rating
FROM engineer_assignments
"""
EVENTS = """
SELECT id, request_id, ticket_id, (assignment ->> 'assignment_sequence')::int, type, recorded_at
FROM ticket_events
"""


@dataclass
class Counts:
    """Per kind of fault, until the next one: counts of the operations started in that time."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    duplicated: int = 0
    retried: int = 0
    """Retries of mutations."""
    unavailable: int = 0
    """Responses with UNAVAILABLE, reads included."""
    longest_gap_s: float = 0
    """The longest time without an acknowledged mutation."""


@dataclass
class ChaosRun:
    faults: Faults
    client: httpx.AsyncClient
    unused_tickets: Iterator[str]
    """Tickets without assignments."""
    engineers: list[str]
    rng: random.Random
    followers: list[Follower]
    position: int = 0
    """The highest position of all clients: reads must show at least that state."""
    fault: str = NO_FAULT
    is_over: bool = False
    used_tickets: list[str] = field(init=False)
    open_tickets: list[str] = field(init=False)
    """Tickets that all clients work on; a resolved one is replaced."""
    last_acknowledged: float = field(default_factory=time.monotonic)
    operations: list[Operation] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    hours: dict[str, Decimal] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    fault_of: dict[str, str] = field(default_factory=dict)
    """By operation: the fault during which it started."""
    counts: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))

    def __post_init__(self) -> None:
        self.open_tickets = list(islice(self.unused_tickets, OPEN_TICKETS))
        self.used_tickets = list(self.open_tickets)

    async def ask(self, query: str, request: str | None = None, **variables: Any) -> dict[str, Any] | None:
        """Return the data; None without a response, or with one to retry."""
        port = self.rng.choice(self.faults.servers).proxy.port
        try:
            answer = await self.client.post(
                f"http://127.0.0.1:{port}/graphql",
                json={"query": query, "variables": variables},
                headers={"Baton-Position": str(self.position)}
                | ({} if request is None else {"X-Request-Id": request}),
            )
        except httpx.HTTPError as error:
            self.codes[type(error).__name__] += 1
            return None
        body = answer.json()
        self.position = max(self.position, int(body.get("extensions", {}).get("position", 0)))
        codes = [error["extensions"]["code"] for error in body.get("errors", ())]
        self.codes.update(codes)
        self.counts[self.fault].unavailable += "UNAVAILABLE" in codes
        return None if codes else body["data"]

    async def until_answered(self, query: str, request: str, **variables: Any) -> dict[str, Any] | None:
        until = time.monotonic() + PATIENCE_S
        while (data := await self.ask(query, request, **variables)) is None and time.monotonic() < until:
            self.counts[self.fault].retried += 1
            await asyncio.sleep(self.rng.uniform(0.02, 0.2))
        return data

    async def write(self) -> None:
        while not self.is_over:
            ticket = self.rng.choice(self.open_tickets)
            if (assignments := await self.read(ticket)) is None:
                continue
            last = assignments[-1] if assignments else {"status": "CANCELLED"}
            kinds = WEIGHTS[last["status"]]
            kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
            await self.do(kind, ticket, self._input(kind, ticket, last.get("id")))

    def _input(self, kind: str, ticket: str, assignment: str | None) -> dict[str, Any]:
        if kind in {"assign", "reassign", "escalate"}:
            return {"ticket": ticket, "engineer": self.rng.choice(self.engineers)}
        command: dict[str, Any] = {"assignment": assignment}
        if kind == "complete":
            command["outcome"] = self.rng.choices(["SUCCESS", "FAILED", "PARTS_REQUIRED"], [1, 4, 4])[0]
            command["hours"] = str(Decimal(self.rng.randrange(1000)) / 100)
        if kind == "rate":
            command["stars"] = self.rng.randint(1, 5)
        return command

    async def do(self, kind: str, ticket: str, command: dict[str, Any]) -> None:
        """Send until answered, and sometimes once more."""
        name, started = f"op-{uuid4().hex[:12]}", time.monotonic()
        self.fault_of[name] = self.fault
        self.counts[self.fault].sent += 1
        answer = await self.until_answered(MUTATIONS[kind], name, id=name, **command)
        ended = None if answer is None else time.monotonic()
        refused = answer is not None and "code" in answer["done"]
        if answer is not None and not refused:
            self._acknowledge(name)
            if command.get("outcome") == "SUCCESS":
                self._replace(ticket)
        self.counts[self.fault_of[name]].refused += refused
        answers = [answer]
        if answer is not None and not refused and self.rng.random() < 0.3:
            answers.append(await self.until_answered(MUTATIONS[kind], name, id=name, **command))
        results = [a["done"] for a in answers if a is not None and not refused]
        if any("code" in each for each in results):
            self.codes[f"{kind} took effect, then was refused"] += 1
        sequences = tuple(each["assignmentSequence"] for each in results if "code" not in each)
        hours = Decimal(command.get("hours", 0))
        self.operations.append(Operation(name, kind, ticket, started, ended, refused, sequences, hours))

    def _replace(self, ticket: str) -> None:
        new = next(self.unused_tickets)
        self.open_tickets[self.open_tickets.index(ticket)] = new
        self.used_tickets.append(new)

    def _acknowledge(self, name: str) -> None:
        self.counts[self.fault_of[name]].acknowledged += 1
        now, counts = time.monotonic(), self.counts[self.fault]
        counts.longest_gap_s = max(counts.longest_gap_s, now - self.last_acknowledged)
        self.last_acknowledged = now

    async def read(self, ticket: str) -> list[dict[str, Any]] | None:
        started = time.monotonic()
        data = await self.ask(READ, t=ticket)
        if data is None:
            await asyncio.sleep(self.rng.uniform(0.02, 0.2))
            return None
        assignments = data["ticket"]["assignmentHistory"]
        seen = [
            _assignment_state(
                assignment["assignmentReason"],
                assignment["status"],
                *(assignment[timestamp] for timestamp in _API_FIELDS),
            )
            for assignment in assignments
        ]
        self.reads.append(Read(ticket, started, tuple(seen)))
        self.hours[ticket] = Decimal(data["ticket"]["totalTimeSpentHours"])
        return assignments

    async def read_repeatedly(self) -> None:
        while not self.is_over:
            await self.read(self.rng.choice(self.used_tickets))
            await asyncio.sleep(0.02)

    async def cause_faults(self, *, seconds: float, pause_s: float) -> list[str]:
        """Cause every fault at least once, for `seconds`. Clients must recover after each."""
        ends, problems = time.monotonic() + seconds, list[str]()
        await self._until_recovered(pause_s)
        while not problems:
            for fault in self.faults.actions:
                self.fault = fault.__name__.replace("_", " ")
                problems += self.faults.unexpected_exits()
                await fault()
                await self._until_recovered(pause_s)
            if time.monotonic() > ends:
                break
        self.is_over = True
        return problems

    async def _until_recovered(self, pause_s: float) -> None:
        counts = self.counts[self.fault]
        before = counts.acknowledged
        async with asyncio.timeout(PATIENCE_S):
            while counts.acknowledged == before:
                await asyncio.sleep(0.01)
        await asyncio.sleep(pause_s)

    async def run(self, *, seconds: float = 0, pause_s: float = 0.2) -> list[str]:
        """Run, and return the problems found."""
        following = [asyncio.create_task(follower.follow()) for follower in self.followers]
        async with asyncio.TaskGroup() as clients:
            for _ in range(WRITERS):
                clients.create_task(self.write())
            for _ in range(READERS):
                clients.create_task(self.read_repeatedly())
            breaking = clients.create_task(self.cause_faults(seconds=seconds, pause_s=pause_s))
        problems = breaking.result()
        for ticket in self.used_tickets:
            while await self.read(ticket) is None:
                pass
        async with connect(self.faults.url) as conn:
            rows = [_row(*row) for row in await conn.fetch(ROWS)]
            events = [
                Event(number, by, tuple(received)) for number, by, *received in await conn.fetch(EVENTS)
            ]
        await asyncio.wait(
            [asyncio.create_task(follower.until_received(len(events))) for follower in self.followers],
            timeout=PATIENCE_S,
        )
        for task in following:
            task.cancel()
        await asyncio.wait(following)
        received = {f"follower {n}": follower.received for n, follower in enumerate(self.followers)}
        history = History(self.operations, self.reads, rows, events, received, self.hours)
        return [*problems, *self._count_violations(violations(history)), *self._problems()]

    def _count_violations(self, problems: list[str]) -> list[str]:
        for sentence in problems:
            rule, about, *_ = sentence.split()
            if about in self.fault_of:
                counts = self.counts[self.fault_of[about]]
                counts.lost += rule == "I3"
                counts.duplicated += rule in {"I4", "I5"}
        return problems

    def _problems(self) -> Iterator[str]:
        yield from (
            f"{code}, {n} times"
            for code, n in self.codes.items()
            if code not in {"UNAVAILABLE", "RATE_LIMITED"} and not hasattr(httpx, code)
        )
        if self.codes["INTERNAL"]:
            yield self.faults.servers[0].first_traceback()
        yield from (f"{o.id} was never answered" for o in self.operations if o.ended is None)
        yield from (f"a stopped server exited with code {code}" for code, _ in self.faults.stops if code)

    def table(self) -> str:
        names = ["sent", "acknowledged", "refused", "retried", "unavailable", "lost", "duplicated"]
        lines = [f"{'':29} " + " ".join(f"{name:>12}" for name in [*names, "longest s"])]
        for fault, counts in self.counts.items():
            columns = " ".join(f"{getattr(counts, name):12}" for name in names)
            lines.append(f"{fault:29} {columns} {counts.longest_gap_s:12.2f}")
        return "\n".join(lines)


_API_FIELDS = ("acceptedAt", "startedAt", "customerRating")


def _assignment_state(
    assigned_by: str, status: str, accepted: object, started: object, rated: object
) -> AssignmentState:
    ended = status.lower() not in {"assigned", "accepted", "in_progress"}
    timestamps = {"accepted": accepted, "started": started, "rated": rated, "ended": ended}
    return AssignmentState(
        assigned_by, frozenset(name for name, timestamp in timestamps.items() if timestamp)
    )


def _row(
    ticket: str,
    sequence: int,
    reason: str,
    status: str,
    assigned_at: datetime,
    hours: Decimal | None,
    *timestamps: object,
) -> Row:
    return Row(
        ticket,
        sequence,
        _assignment_state(reason, status, *timestamps),
        status,
        assigned_at,
        hours or Decimal(0),
    )


@asynccontextmanager
async def chaos_run(
    *,
    tickets: int = 300,
    servers: int = 1,
    seed: int = 0,
    duration_s: float = 0.3,
    pooled: bool = False,
    failover: bool = False,
    patroni: bool = False,
) -> AsyncIterator[ChaosRun]:
    """Start a database, servers on free ports, and clients.

    `pooled` puts PgBouncer in between. `failover` adds replicas that serve reads and are promoted; with
    `patroni`, Patroni promotes them.
    """
    async with AsyncExitStack() as until_done:
        home = until_done.enter_context(new_home())
        # Durable like in production: a crash must not lose what was acknowledged.
        database = EmbeddedPostgres(home)
        cluster: Cluster | PatroniCluster | None = None
        if patroni:
            cluster = PatroniCluster(home)
            url = await until_done.enter_async_context(cluster)
        elif failover:
            cluster = Cluster(home)
            url = until_done.enter_context(cluster)
        else:
            url = until_done.enter_context(database)
        await migrate_whole(url)
        async with open_database(url, pool_size=2) as db:
            make = Factories(db)
            unused_tickets = [await make.ticket() for _ in range(tickets)]
            engineers = [str(await make.engineer(f"Engineer {n}")) for n in range(ENGINEERS)]
        settings = {"DATABASE_URL": url}
        if pooled:
            await create_role(url)
            pooler = until_done.enter_context(pgbouncer(url))
            settings = {
                "DATABASE_URL": through(pooler, url),
                "DATABASE_DIRECT_URL": url,
                "DATABASE_POOLER": "transaction",
            }
        if cluster is not None:
            settings["DATABASE_REPLICA_URLS"] = " ".join(cluster.url(n) for n in cluster.nodes)
        rng = random.Random(seed)  # noqa: S311 - not a secret
        running = []
        log = until_done.enter_context((home / "app.log").open("wb"))
        for _ in range(servers):
            proxy = Proxy(free_port(), rng)
            await until_done.enter_async_context(proxy.open())
            running.append(Server(settings, proxy, log))
            until_done.callback(running[-1].stop, signal.SIGKILL)
            await running[-1].start()
        token = DevelopmentTokens(SECRET).sign(Role.DISPATCHER, None, ttl_s=24 * 3600)
        client = await until_done.enter_async_context(
            httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20)
        )
        followers = [Follower(running, rng) for _ in range(FOLLOWERS)]
        faults = (
            Faults(database, url, running, rng, duration_s)
            if cluster is None
            else ClusterFaults(database, url, running, rng, duration_s, cluster=cluster)
        )
        yield ChaosRun(faults, client, iter(unused_tickets), engineers, rng, followers)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--pooled", action="store_true", help="put PgBouncer in transaction mode in between")
    parser.add_argument("--failover", action="store_true", help="kill the primary of three nodes")
    parser.add_argument("--patroni", action="store_true", help="like --failover, with Patroni")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    tickets = OPEN_TICKETS + int(options.seconds * 20)
    async with chaos_run(
        tickets=tickets,
        servers=options.servers,
        seed=options.seed,
        duration_s=3,
        pooled=options.pooled,
        failover=options.failover,
        patroni=options.patroni,
    ) as chaos:
        problems = await chaos.run(seconds=options.seconds, pause_s=2)
    stops = ", ".join(f"code {code} after {seconds:.2f} s" for code, seconds in chaos.faults.stops)
    if isinstance(chaos.faults, ClusterFaults):
        took = ", ".join(f"{seconds:.2f} s" for seconds in chaos.faults.cluster.failovers_s)
        print(f"Failover times: {took}")
    received = " and ".join(f"{len(f.received)} over {f.connections} connections" for f in chaos.followers)
    print(
        f"seed {options.seed}: {len(chaos.reads)} reads of {len(chaos.used_tickets)} tickets,"
        f" {dict(chaos.codes)}"
    )
    print(
        f"{chaos.table()}\nSIGTERM ({DRAIN_S} s of draining): {stops or 'none'}\nEvents received: {received}"
    )
    print("\n".join(problems) or "No violations.")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
