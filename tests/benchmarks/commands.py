"""Changes and reads a second, in turns: as they are made, and as they would be made with less thought.

python -m tests.benchmarks.commands [--rounds 7] [--seconds 1.5]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import asyncpg

from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run, run_in
from app.db.embedded import EmbeddedPostgres
from app.db.pool import Database, TimeLimits, open_database
from app.queries import assignments
from tests.databases import migrate_whole, new_database, new_home
from tests.make import DISPATCHER, Make

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from app.domain.model import EngineerId, TicketId

    Work = Callable[[int], Awaitable[object]]
    Ways = dict[str, Work]

CLIENTS = 32
POOL_SIZE = 10
TICKETS = 640


async def under_lock(db: Database, wish: ReassignTicket) -> None:
    """Every change as one that has a rival: five round trips."""
    await db.in_transaction(lambda tx: run_in(tx, DISPATCHER, reassign_ticket, wish), turn=wish.named_ticket)


async def at_once(db: Database, wish: ReassignTicket) -> None:
    await run(db, DISPATCHER, reassign_ticket, wish)


def wishes(tickets: Sequence[TicketId], engineers: Sequence[EngineerId]) -> Iterator[ReassignTicket]:
    """An engineer never follows upon himself: two in turn, each for a whole round of the tickets."""
    while True:
        for engineer in engineers:
            for ticket in tickets:
                yield ReassignTicket(ticket_id=ticket, engineer_id=engineer, reason="x")


async def per_second(work: Work, seconds: float) -> float:
    done = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await work(number)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return done / (time.perf_counter() - began)


async def compare(title: str, ways: Ways, rounds: int, seconds: float) -> None:
    """The first way is what the others are measured by."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        await per_second(work, 0.2)
    for _ in range(rounds):
        for name, work in ways.items():
            found[name].append(await per_second(work, seconds))
    first, *_ = found.values()
    print(f"\n{title}")
    for name, rates in found.items():
        ratio = statistics.median(rate / base for rate, base in zip(rates, first, strict=True))
        low, _, high = statistics.quantiles(rates, n=4)
        print(f"  {name:32}{statistics.median(rates):7.0f} a second ({low:.0f} to {high:.0f}){ratio:7.2f} x")


def of_changes(
    make: Callable[[Database, ReassignTicket], Awaitable[None]],
    dbs: Sequence[Database],
    tickets: Sequence[TicketId],
    engineers: Sequence[EngineerId],
) -> Work:
    """Clients share the servers evenly; each has tickets of its own where there are enough."""
    each = [
        wishes(tickets[n::CLIENTS] if len(tickets) >= CLIENTS else tickets, engineers) for n in range(CLIENTS)
    ]
    return lambda number: make(dbs[number % len(dbs)], next(each[number]))


async def measure(rounds: int, seconds: float) -> None:
    with new_home() as home, EmbeddedPostgres(home) as server:
        async with new_database(server) as url, AsyncExitStack() as stack:
            await migrate_whole(url)
            dbs = [await stack.enter_async_context(open_database(url, pool_size=POOL_SIZE)) for _ in range(2)]
            make = Make(dbs[0])
            tickets = [(await make.assigned()).ticket_id for _ in range(TICKETS)]
            people = [[await make.engineer() for _ in range(2)] for _ in range(2)]
            ways = {"under the lock, as after a rival": under_lock, "read, then written at once": at_once}
            for title, servers, wanted in (
                ("Changes of different tickets", dbs[:1], tickets),
                ("Changes of one ticket, one server", dbs[:1], tickets[:1]),
                ("Changes of one ticket, two servers", dbs, tickets[:1]),
            ):
                works = {
                    name: of_changes(way, servers, wanted, engineers)
                    for (name, way), engineers in zip(ways.items(), people, strict=True)
                }
                await compare(title, works, rounds, seconds)
            await compare(
                "Reads of a current assignment", await of_reads(stack, url, tickets), rounds, seconds
            )


async def of_reads(stack: AsyncExitStack, url: str, tickets: Sequence[TicketId]) -> Ways:
    reset = await stack.enter_async_context(
        asyncpg.create_pool(url, min_size=1, max_size=POOL_SIZE, server_settings=TimeLimits().session)
    )
    lent = await stack.enter_async_context(open_database(url, pool_size=POOL_SIZE))
    ids = cycle(tickets)

    async def read(db: Database, _: int) -> None:
        async with db.connection() as conn:
            await assignments.current_of_tickets(conn, [next(ids)])

    return {
        "session reset after each": partial(read, Database(reset)),
        "session as it was": partial(read, lent),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    asyncio.run(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
