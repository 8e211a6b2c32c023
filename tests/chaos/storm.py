"""Clients that never give up, against servers and a database that are killed under them.

`python -m tests.chaos.storm --seconds 600 --servers 2` for a long one.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from app.db.connections import connect
from app.db.pool import open_database
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from tests.chaos.checker import Event, History, Operation, Read, Row, Turn, violations
from tests.chaos.cluster import Cluster
from tests.chaos.faults import DRAIN_S, PATIENCE_S, Faults, FaultsOfCluster, Server
from tests.chaos.follower import Follower
from tests.chaos.patroni import PatroniCluster
from tests.chaos.proxy import Proxy
from tests.conftest import SECRET
from tests.databases import free_port, migrate_whole, new_home
from tests.factories import Factories
from tests.pgbouncer import give_role, pgbouncer, through

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

OPEN_TICKETS, ENGINEERS, WRITERS, READERS, FOLLOWERS = 6, 8, 8, 2, 2
QUIET = "nothing"

_OPENING = {"ticket": "ID!", "engineer": "ID!"}
_CHANGING = {"assignment": "ID!"}


def _mutation(name: str, given: str, types: Mapping[str, str]) -> str:
    declared = ", ".join(f"${variable}: {kind}" for variable, kind in {"id": "String!", **types}.items())
    return f"""mutation ({declared}) {{ done: {name}(input: {{{given}, idempotencyKey: $id}}) {{
        ... on Assignment {{ assignmentSequence }} ... on Refusal {{ code }} }} }}"""


MUTATIONS = {
    "assign": _mutation("assignTicket", "ticketId: $ticket, engineerId: $engineer, reason: $id", _OPENING),
    "reassign": _mutation(
        "reassignTicket", "ticketId: $ticket, engineerId: $engineer, reason: $id", _OPENING
    ),
    "escalate": _mutation(
        "escalateTicket", "ticketId: $ticket, nextEngineerId: $engineer, reason: $id", _OPENING
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
LIKELY: dict[str, dict[str, int]] = {
    "ASSIGNED": {"accept": 4, "start": 1, "reassign": 3, "escalate": 2, "cancel": 1},
    "ACCEPTED": {"start": 4, "complete": 2, "reassign": 1, "escalate": 1, "cancel": 1},
    "IN_PROGRESS": {"complete": 5, "reassign": 1, "escalate": 2, "cancel": 1},
    "COMPLETED": {"assign": 4, "rate": 1},
    "FAILED": {"assign": 4, "rate": 1},
    "CANCELLED": {"assign": 1},
}
"""What people do next, by the status of the last assignment, and how often of so many."""
READ = """query ($t: ID!) { ticket(id: $t) { totalTimeSpentHours
    assignmentHistory { id assignmentReason status acceptedAt startedAt customerRating } } }"""
ROWS = """
SELECT ticket_id, assignment_sequence, assignment_reason, status, assigned_at, time_spent_hours, accepted_at,
    started_at, customer_rating
FROM engineer_assignments
"""
EVENTS = """
SELECT id, request_id, ticket_id, (assignment ->> 'assignment_sequence')::int, type, occurred_at
FROM assignment_events
"""


@dataclass
class Figures:
    """Of one kind of fault, each time until the next: of the operations that began in it, and of its time."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    retried: int = 0
    """Tries after the first, in its time; reads are not counted."""
    unavailable: int = 0
    """Answers in its time, to reads also."""
    longest_s: float = 0
    """Without any acknowledgement."""


@dataclass
class Storm:
    faults: Faults
    client: httpx.AsyncClient
    fresh: Iterator[str]
    """Tickets that nobody has touched."""
    engineers: list[str]
    dice: random.Random
    followers: list[Follower]
    position: int = 0
    """Up to where they all must see: one tells the others."""
    fault: str = QUIET
    over: bool = False
    touched: list[str] = field(init=False)
    open: list[str] = field(init=False)
    """Tickets that everybody wants: as soon as one is resolved, another comes in its place."""
    last_acknowledged: float = field(default_factory=time.monotonic)
    operations: list[Operation] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    hours: dict[str, Decimal] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    during: dict[str, str] = field(default_factory=dict)
    """By operation, the fault during which it began."""
    figures: defaultdict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))

    def __post_init__(self) -> None:
        self.open = list(islice(self.fresh, OPEN_TICKETS))
        self.touched = list(self.open)

    async def ask(self, query: str, request: str | None = None, **variables: Any) -> dict[str, Any] | None:
        """The data; None where there is no answer, or one that says to try again."""
        port = self.dice.choice(self.faults.servers).line.port
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
        self.figures[self.fault].unavailable += "UNAVAILABLE" in codes
        return None if codes else body["data"]

    async def until_answered(self, query: str, request: str, **variables: Any) -> dict[str, Any] | None:
        until = time.monotonic() + PATIENCE_S
        while (data := await self.ask(query, request, **variables)) is None and time.monotonic() < until:
            self.figures[self.fault].retried += 1
            await asyncio.sleep(self.dice.uniform(0.02, 0.2))
        return data

    async def write(self) -> None:
        while not self.over:
            ticket = self.dice.choice(self.open)
            if (turns := await self.read(ticket)) is None:
                continue
            last = turns[-1] if turns else {"status": "CANCELLED"}
            kinds = LIKELY[last["status"]]
            kind = self.dice.choices(list(kinds), list(kinds.values()))[0]
            await self.do(kind, ticket, self._wish(kind, ticket, last.get("id")))

    def _wish(self, kind: str, ticket: str, assignment: str | None) -> dict[str, Any]:
        if kind in {"assign", "reassign", "escalate"}:
            return {"ticket": ticket, "engineer": self.dice.choice(self.engineers)}
        command: dict[str, Any] = {"assignment": assignment}
        if kind == "complete":
            command["outcome"] = self.dice.choices(["SUCCESS", "FAILED", "PARTS_REQUIRED"], [1, 4, 4])[0]
            command["hours"] = str(Decimal(self.dice.randrange(1000)) / 100)
        if kind == "rate":
            command["stars"] = self.dice.randint(1, 5)
        return command

    async def do(self, kind: str, ticket: str, command: dict[str, Any]) -> None:
        """Send it until it is answered, and sometimes once more."""
        name, began = f"op-{uuid4().hex[:12]}", time.monotonic()
        self.during[name] = self.fault
        self.figures[self.fault].sent += 1
        answer = await self.until_answered(MUTATIONS[kind], name, id=name, **command)
        ended = None if answer is None else time.monotonic()
        refused = answer is not None and "code" in answer["done"]
        if answer is not None and not refused:
            self._acknowledge(name)
            if command.get("outcome") == "SUCCESS":
                self._replace(ticket)
        self.figures[self.during[name]].refused += refused
        answers = [answer]
        if answer is not None and not refused and self.dice.random() < 0.3:
            answers.append(await self.until_answered(MUTATIONS[kind], name, id=name, **command))
        told = [a["done"] for a in answers if a is not None and not refused]
        if any("code" in each for each in told):
            self.codes[f"{kind} was done, and then refused"] += 1
        sequences = tuple(each["assignmentSequence"] for each in told if "code" not in each)
        hours = Decimal(command.get("hours", 0))
        self.operations.append(Operation(name, kind, ticket, began, ended, refused, sequences, hours))

    def _replace(self, ticket: str) -> None:
        new = next(self.fresh)
        self.open[self.open.index(ticket)] = new
        self.touched.append(new)

    def _acknowledge(self, name: str) -> None:
        self.figures[self.during[name]].acknowledged += 1
        now, figures = time.monotonic(), self.figures[self.fault]
        figures.longest_s = max(figures.longest_s, now - self.last_acknowledged)
        self.last_acknowledged = now

    async def read(self, ticket: str) -> list[dict[str, Any]] | None:
        began = time.monotonic()
        data = await self.ask(READ, t=ticket)
        if data is None:
            await asyncio.sleep(self.dice.uniform(0.02, 0.2))
            return None
        turns = data["ticket"]["assignmentHistory"]
        seen = [
            _turn(turn["assignmentReason"], turn["status"], *(turn[mark] for mark in _MARKS_OF_API))
            for turn in turns
        ]
        self.reads.append(Read(ticket, began, tuple(seen)))
        self.hours[ticket] = Decimal(data["ticket"]["totalTimeSpentHours"])
        return turns

    async def look(self) -> None:
        while not self.over:
            await self.read(self.dice.choice(self.touched))
            await asyncio.sleep(0.02)

    async def break_things(self, *, seconds: float, pause_s: float) -> list[str]:
        """Every fault at least once, and again and again for so long. After each, all have to recover."""
        ends, wrong = time.monotonic() + seconds, list[str]()
        await self._calm(pause_s)
        while not wrong:
            for fault in self.faults.all:
                self.fault = fault.__name__.replace("_", " ")
                wrong += self.faults.gone()
                await fault()
                await self._calm(pause_s)
            if time.monotonic() > ends:
                break
        self.over = True
        return wrong

    async def _calm(self, pause_s: float) -> None:
        figures = self.figures[self.fault]
        before = figures.acknowledged
        async with asyncio.timeout(PATIENCE_S):
            while figures.acknowledged == before:
                await asyncio.sleep(0.01)
        await asyncio.sleep(pause_s)

    async def rage(self, *, seconds: float = 0, pause_s: float = 0.2) -> list[str]:
        """What is wrong in the end."""
        following = [asyncio.create_task(follower.follow()) for follower in self.followers]
        async with asyncio.TaskGroup() as clients:
            for _ in range(WRITERS):
                clients.create_task(self.write())
            for _ in range(READERS):
                clients.create_task(self.look())
            breaking = clients.create_task(self.break_things(seconds=seconds, pause_s=pause_s))
        wrong = breaking.result()
        for ticket in self.touched:
            while await self.read(ticket) is None:
                pass
        async with connect(self.faults.url) as conn:
            rows = [_row(*row) for row in await conn.fetch(ROWS)]
            events = [Event(number, by, tuple(heard)) for number, by, *heard in await conn.fetch(EVENTS)]
        await asyncio.wait(
            [asyncio.create_task(follower.has_heard(len(events))) for follower in self.followers],
            timeout=PATIENCE_S,
        )
        for task in following:
            task.cancel()
        await asyncio.wait(following)
        heard = {f"follower {n}": follower.heard for n, follower in enumerate(self.followers)}
        history = History(self.operations, self.reads, rows, events, heard, self.hours)
        return [*wrong, *self._counted(violations(history)), *self._said()]

    def _counted(self, wrong: list[str]) -> list[str]:
        for sentence in wrong:
            rule, about, *_ = sentence.split()
            if about in self.during:
                figures = self.figures[self.during[about]]
                figures.lost += rule == "I3"
                figures.doubled += rule in {"I4", "I5"}
        return wrong

    def _said(self) -> Iterator[str]:
        yield from (
            f"{code}, {n} times"
            for code, n in self.codes.items()
            if code not in {"UNAVAILABLE", "RATE_LIMITED"} and not hasattr(httpx, code)
        )
        if self.codes["INTERNAL"]:
            yield self.faults.servers[0].first_fault()
        yield from (f"{o.id} was never answered" for o in self.operations if o.ended is None)
        yield from (f"a server that was stopped left with {code}" for code, _ in self.faults.stops if code)

    def table(self) -> str:
        names = ["sent", "acknowledged", "refused", "retried", "unavailable", "lost", "doubled"]
        lines = [f"{'':29} " + " ".join(f"{name:>12}" for name in [*names, "longest s"])]
        for fault, one in self.figures.items():
            counts = " ".join(f"{getattr(one, name):12}" for name in names)
            lines.append(f"{fault:29} {counts} {one.longest_s:12.2f}")
        return "\n".join(lines)


_MARKS_OF_API = ("acceptedAt", "startedAt", "customerRating")


def _turn(opened_by: str, status: str, accepted: object, started: object, rated: object) -> Turn:
    ended = status.lower() not in {"assigned", "accepted", "in_progress"}
    marks = {"accepted": accepted, "started": started, "rated": rated, "ended": ended}
    return Turn(opened_by, frozenset(name for name, mark in marks.items() if mark))


def _row(
    ticket: str,
    sequence: int,
    reason: str,
    status: str,
    assigned_at: datetime,
    hours: Decimal | None,
    *marks: object,
) -> Row:
    return Row(ticket, sequence, _turn(reason, status, *marks), status, assigned_at, hours or Decimal(0))


@asynccontextmanager
async def storm(
    *,
    tickets: int = 300,
    servers: int = 1,
    seed: int = 0,
    hold_s: float = 0.3,
    pooled: bool = False,
    failover: bool = False,
    patroni: bool = False,
) -> AsyncIterator[Storm]:
    """A database, servers on free ports, and what the clients know.

    With PgBouncer between if `pooled`; with standbys that are read, and that take over, if `failover`, or by
    themselves if `patroni`.
    """
    async with AsyncExitStack() as until_done:
        home = until_done.enter_context(new_home())
        # A crash must lose nothing that was told, so this one is as durable as a real one.
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
            fresh = [await make.ticket() for _ in range(tickets)]
            engineers = [str(await make.engineer(f"Engineer {n}")) for n in range(ENGINEERS)]
        settings = {"DATABASE_URL": url}
        if pooled:
            await give_role(url)
            pooler = until_done.enter_context(pgbouncer(url))
            settings = {
                "DATABASE_URL": through(pooler, url),
                "DATABASE_DIRECT_URL": url,
                "DATABASE_POOLER": "transaction",
            }
        if cluster is not None:
            settings["DATABASE_REPLICA_URLS"] = " ".join(cluster.url(n) for n in cluster.nodes)
        dice = random.Random(seed)  # noqa: S311 - not a secret
        running = []
        log = until_done.enter_context((home / "app.log").open("wb"))
        for _ in range(servers):
            line = Proxy(free_port(), dice)
            await until_done.enter_async_context(line.open())
            running.append(Server(settings, line, log))
            until_done.callback(running[-1].stop, signal.SIGKILL)
            await running[-1].start()
        token = DevelopmentTokens(SECRET).sign(Role.DISPATCHER, None, ttl_s=24 * 3600)
        client = await until_done.enter_async_context(
            httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20)
        )
        followers = [Follower(running, dice) for _ in range(FOLLOWERS)]
        faults = (
            Faults(database, url, running, dice, hold_s)
            if cluster is None
            else FaultsOfCluster(database, url, running, dice, hold_s, cluster=cluster)
        )
        yield Storm(faults, client, iter(fresh), engineers, dice, followers)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--pooled", action="store_true", help="with PgBouncer in transaction mode between")
    parser.add_argument("--failover", action="store_true", help="the primary of three nodes is killed")
    parser.add_argument("--patroni", action="store_true", help="the same, and Patroni finds the next one")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    tickets = OPEN_TICKETS + int(given.seconds * 20)
    async with storm(
        tickets=tickets,
        servers=given.servers,
        seed=given.seed,
        hold_s=3,
        pooled=given.pooled,
        failover=given.failover,
        patroni=given.patroni,
    ) as one:
        wrong = await one.rage(seconds=given.seconds, pause_s=2)
    stops = ", ".join(f"code {code} after {seconds:.2f} s" for code, seconds in one.faults.stops)
    if isinstance(one.faults, FaultsOfCluster):
        took = ", ".join(f"{seconds:.2f} s" for seconds in one.faults.cluster.promotions_s)
        print(f"From a primary's end to the next: {took}")
    heard = " and ".join(f"{len(f.heard)} over {f.connections} connections" for f in one.followers)
    print(f"seed {given.seed}: {len(one.reads)} reads, {len(one.touched)} tickets, {dict(one.codes)}")
    print(f"{one.table()}\nSIGTERM: {stops or 'none'}, {DRAIN_S} s of it as before\nEvents heard: {heard}")
    print("\n".join(wrong) or "Every promise was kept.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
