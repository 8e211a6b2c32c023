"""Clients that never give up, against servers and a database that are killed under them.

`python -m tests.chaos.storm --seconds 600 --servers 2` for a long one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import httpx

from app.db.embedded import EmbeddedPostgres
from app.db.pool import connect, open_database
from app.domain.model import Role
from app.web.auth import DevelopmentTokens
from tests.chaos.checker import Operation, Read, Row, violations
from tests.databases import migrate_whole, new_home
from tests.make import Make

CHECKOUT = Path(__file__).parents[2]
SECRET = "a secret of thirty-two characters"  # noqa: S105 - signs tokens of tests only
TICKETS, ENGINEERS, WRITERS, READERS = 6, 8, 8, 2
PATIENCE_S = 60

_ANSWER = "{ ... on Assignment { id assignmentSequence } ... on Refusal { code } }"
_WISH = f"ticketId: $ticket, engineerId: $engineer, reason: $id, idempotencyKey: $id}}) {_ANSWER}"
_OPENING = "mutation ($id: String!, $ticket: ID!, $engineer: ID!) { done: "
ASSIGN = f"{_OPENING} assignTicket(input: {{{_WISH} }}"
REASSIGN = ASSIGN.replace("assignTicket", "reassignTicket")
ESCALATE = ASSIGN.replace("assignTicket", "escalateTicket").replace("engineerId", "nextEngineerId")
CANCEL = f"""mutation ($id: String!, $assignment: ID!) {{ done: cancelAssignment(input: {{
    assignmentId: $assignment, reason: $id, idempotencyKey: $id}}) {_ANSWER} }}"""
READ = "query ($t: ID!) { ticket(id: $t) { assignmentHistory { id assignmentReason status } } }"
ROWS = """
SELECT ticket_id, assignment_sequence, assignment_reason, cancellation_reason,
    status IN ('assigned', 'accepted', 'in_progress'), assigned_at
FROM engineer_assignments
"""


@dataclass
class Server:
    """One process of the product, started again when it was killed."""

    database_url: str
    port: int
    log: BinaryIO
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"DATABASE_URL": self.database_url, "AUTH_DEV_SECRET": SECRET}
        command = [sys.executable, "-m", "app", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stderr=self.log, stdout=self.log
        )

    def stop(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()


@dataclass
class Storm:
    database: EmbeddedPostgres
    servers: list[Server]
    client: httpx.AsyncClient
    tickets: list[str]
    engineers: list[str]
    dice: random.Random
    ends: float
    operations: list[Operation] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    async def ask(self, query: str, **variables: Any) -> dict[str, Any] | None:
        """The data; None where there is no answer, or one that says to try again."""
        port = self.dice.choice(self.servers).port
        try:
            answer = await self.client.post(
                f"http://127.0.0.1:{port}/graphql", json={"query": query, "variables": variables}
            )
        except httpx.HTTPError as error:
            self.codes[type(error).__name__] += 1
            return None
        body = answer.json()
        self.codes.update(error["extensions"]["code"] for error in body.get("errors", ()))
        return None if "errors" in body else body["data"]

    async def until_answered(self, query: str, **variables: Any) -> dict[str, Any] | None:
        while time.monotonic() < self.ends + PATIENCE_S:
            if (data := await self.ask(query, **variables)) is not None:
                return data
            await asyncio.sleep(self.dice.uniform(0.02, 0.2))
        return None

    async def write(self) -> None:
        while time.monotonic() < self.ends:
            ticket = self.dice.choice(self.tickets)
            wish = self.dice.choices([ASSIGN, REASSIGN, ESCALATE, CANCEL], [3, 5, 1, 2])[0]
            given: dict[str, Any] = {"id": f"op-{uuid4().hex[:12]}"}
            if wish is CANCEL:
                seen = await self.read(ticket)
                if not seen:
                    continue
                given["assignment"] = seen[-1]["id"]
            else:
                given |= {"ticket": ticket, "engineer": self.dice.choice(self.engineers)}
            await self.do(wish, ticket, given, opens=wish is not CANCEL)

    async def do(self, query: str, ticket: str, given: dict[str, Any], *, opens: bool) -> None:
        began = time.monotonic()
        answer = await self.until_answered(query, **given)
        ended = None if answer is None else time.monotonic()
        answers = [answer]
        if answer is not None and "code" not in answer["done"] and self.dice.random() < 0.3:
            answers.append(await self.until_answered(query, **given))
        told = tuple(a["done"]["assignmentSequence"] for a in answers if a and "code" not in a["done"])
        refused = answer is not None and "code" in answer["done"]
        self.operations.append(Operation(given["id"], ticket, opens, began, ended, refused, told))

    async def read(self, ticket: str) -> list[dict[str, Any]]:
        began = time.monotonic()
        data = await self.ask(READ, t=ticket)
        if data is None:
            return []
        turns = data["ticket"]["assignmentHistory"]
        self.reads.append(Read(ticket, began, tuple(turn["assignmentReason"] for turn in turns)))
        return [turn for turn in turns if turn["status"] == "ASSIGNED"]

    async def look(self) -> None:
        while time.monotonic() < self.ends:
            await self.read(self.dice.choice(self.tickets))
            await asyncio.sleep(0.02)

    async def kill_backends(self) -> None:
        async with connect(self.database.start()) as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'baton' AND pid <> pg_backend_pid()"
            )

    async def restart_database(self) -> None:
        await asyncio.to_thread(self.database.stop)
        await asyncio.to_thread(self.database.start)

    async def crash_database(self) -> None:
        first_line = (self.database.home / "data/postmaster.pid").read_text().splitlines()[0]
        os.kill(int(first_line), signal.SIGQUIT)
        await asyncio.to_thread(self.database.stop)
        await asyncio.to_thread(self.database.start)

    async def kill_server(self) -> None:
        server = self.dice.choice(self.servers)
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        server.start()

    async def freeze_server(self) -> None:
        process = self.dice.choice(self.servers).process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(1)
        process.send_signal(signal.SIGCONT)

    async def break_things(self, pause_s: float) -> None:
        faults = [
            self.kill_backends,
            self.crash_database,
            self.kill_server,
            self.restart_database,
            self.freeze_server,
        ]
        while True:
            for fault in faults:
                await asyncio.sleep(pause_s)
                if time.monotonic() > self.ends:
                    return
                await fault()

    async def rage(self, pause_s: float) -> list[str]:
        """What is wrong in the end."""
        breaking = asyncio.create_task(self.break_things(pause_s))
        await asyncio.gather(*(self.write() for _ in range(WRITERS)), *(self.look() for _ in range(READERS)))
        await breaking
        async with connect(self.database.start()) as conn:
            rows = [Row(*row) for row in await conn.fetch(ROWS)]
        wrong = violations(self.operations, self.reads, rows)
        wrong += [f"{code} was told {n} times" for code, n in self.codes.items() if code == "INTERNAL"]
        return wrong


@asynccontextmanager
async def storm(*, seconds: float, servers: int = 1, seed: int = 0):
    """A database, servers on free ports, and what the clients know."""
    async with AsyncExitStack() as until_done:
        home = until_done.enter_context(new_home())
        # A crash must lose nothing that was told, so this one is as durable as a real one.
        database = EmbeddedPostgres(home)
        url = until_done.enter_context(database)
        await migrate_whole(url)
        async with open_database(url, pool_size=2) as db:
            make = Make(db)
            tickets = [await make.ticket() for _ in range(TICKETS)]
            engineers = [str(await make.engineer(f"Engineer {n}")) for n in range(ENGINEERS)]
        running = []
        log = until_done.enter_context((home / "app.log").open("wb"))
        for port in free_ports(servers):
            running.append(Server(url, port, log))
            until_done.callback(running[-1].stop, signal.SIGKILL)
            running[-1].start()
        token = DevelopmentTokens(SECRET).sign(Role.DISPATCHER, None, ttl_s=24 * 3600)
        client = await until_done.enter_async_context(
            httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20)
        )
        one = Storm(
            database,
            running,
            client,
            tickets,
            engineers,
            random.Random(seed),  # noqa: S311 - not a secret
            time.monotonic() + PATIENCE_S,
        )
        await one.until_answered("{ viewer { role } }")
        one.codes.clear()
        one.ends = time.monotonic() + seconds
        yield one


def free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    async with storm(seconds=given.seconds, servers=given.servers, seed=given.seed) as one:
        wrong = await one.rage(pause_s=3)
        done = Counter("done" if o.answers else "refused" if o.refused else "unknown" for o in one.operations)
    print(f"seed {given.seed}: {dict(done)}, {len(one.reads)} reads, {dict(one.codes)}")  # noqa: T201
    print("\n".join(wrong) or "Every promise was kept.")  # noqa: T201
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
