"""Changes and reads a second, in turns: as they are made, and as they would be made with less thought.

python -m tests.benchmarks.commands [--rounds 7] [--seconds 1.5] [--durable]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import asyncpg

from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run, run_in_transaction
from app.db.connections import TimeLimits
from app.db.pool import Database, open_database
from app.demo.embedded_postgres import EmbeddedPostgres
from app.queries import assignments
from tests.databases import migrate_whole, new_database, new_home
from tests.factories import DISPATCHER, Factories

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.commands.ticket_state import Change, TicketState
    from app.domain.model import EngineerId, TicketId

    Decide = Callable[[ReassignTicket, TicketState], Change]
    Way = Callable[[Database, Decide, ReassignTicket], Awaitable[None]]
    Work = Callable[[int], Awaitable[object]]
    """What a client of this number does once."""
    BatchScheduler = dict[str, Work]

CLIENTS = 32
POOL_SIZE = 10


def to_the_other(command: ReassignTicket, locked: TicketState, *, colleague: EngineerId) -> Change:
    """So that the same wish can be had again and again."""
    held = locked.assignment
    if held is not None and held.engineer_id == command.engineer_id:
        command = replace(command, engineer_id=colleague)
    return reassign_ticket(command, locked)


async def under_lock(db: Database, decide: Decide, command: ReassignTicket) -> None:
    """As after a rival: five round trips."""
    await db.in_transaction(
        lambda tx: run_in_transaction(tx, DISPATCHER, decide, command), turn=command.ticket_id
    )


async def at_once(db: Database, decide: Decide, command: ReassignTicket) -> None:
    await run(db, DISPATCHER, decide, command)


async def pace(work: Work, seconds: float) -> tuple[float, float]:
    """How many a second, and the CPU milliseconds of this process that each took."""
    done = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await work(number)
            done += 1

    began, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return done / (time.perf_counter() - began), (time.process_time() - cpu_began) * 1000 / done


async def compare(title: str, ways: BatchScheduler, rounds: int, seconds: float) -> None:
    """The first way is what the others are measured by."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for work in ways.values():
        await pace(work, 0.2)
    for _ in range(rounds):
        for name, work in ways.items():
            found[name].append(await pace(work, seconds))
    first, *_ = found.values()
    print(f"\n{title}")
    for name, paces in found.items():
        rates, costs = zip(*paces, strict=True)
        ratio = statistics.median(rate / base for rate, (base, _) in zip(rates, first, strict=True))
        low, _, high = statistics.quantiles(rates, n=4)
        print(
            f"  {name:34}{statistics.median(rates):6.0f} a second ({low:.0f} to {high:.0f}){ratio:6.2f} x"
            f"{statistics.median(costs):8.2f} ms of CPU"
        )


async def measure(rounds: int, seconds: float, *, durable: bool) -> None:
    with new_home() as home, EmbeddedPostgres(home, durable=durable) as server:
        async with new_database(server) as url, AsyncExitStack() as stack:
            await migrate_whole(url)
            dbs = [await stack.enter_async_context(open_database(url, pool_size=POOL_SIZE)) for _ in "12"]
            make = Factories(dbs[0])
            tickets = [(await make.assigned()).ticket_id for _ in range(CLIENTS)]
            one, other = await make.engineer(), await make.engineer()
            decide = partial(to_the_other, colleague=other)
            wishes = [ReassignTicket(ticket_id=t, engineer_id=one, reason="x") for t in tickets]

            def changes(way: Way, servers: int, wanted: int) -> Work:
                """Of so many tickets, by so many servers, which the clients share evenly."""
                return lambda client: way(dbs[client % servers], decide, wishes[client % wanted])

            for title, servers, wanted in (
                ("Changes of as many tickets as clients", 1, CLIENTS),
                ("Changes of one ticket, by one server", 1, 1),
                ("Changes of one ticket, by two servers", 2, 1),
            ):
                ways = {
                    "under the lock, as after a rival": changes(under_lock, servers, wanted),
                    "read, then written at once": changes(at_once, servers, wanted),
                }
                await compare(title, ways, rounds, seconds)
            reads = await of_reads(stack, url, tickets)
            await compare("Reads of a current assignment", reads, rounds, seconds)


async def of_reads(stack: AsyncExitStack, url: str, tickets: Sequence[TicketId]) -> BatchScheduler:
    reset = await stack.enter_async_context(
        asyncpg.create_pool(
            url, min_size=1, max_size=POOL_SIZE, server_settings=TimeLimits().session_settings
        )
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
    parser.add_argument("--durable", action="store_true", help="each change waits for the disk")
    asyncio.run(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
