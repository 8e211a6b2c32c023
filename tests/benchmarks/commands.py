"""Commands and reads per second, interleaved: the implementation, and simpler alternatives.

python -m tests.benchmarks.commands [--rounds 7] [--seconds 1.5] [--durable]
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle

import asyncpg

from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run, run_in_transaction
from app.commands.ticket_state import Change, TicketState
from app.db.connections import TimeLimits
from app.db.pool import Database, open_database
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.model import EngineerId, TicketId
from app.queries import assignments
from tests.databases import migrate_whole, new_database, new_home
from tests.factories import DISPATCHER, Factories

Decide = Callable[[ReassignTicket, TicketState], Change]
Variant = Callable[[Database, Decide, ReassignTicket], Awaitable[None]]
Work = Callable[[int], Awaitable[object]]
"""One operation of the client with this number."""
Variants = dict[str, Work]

CLIENTS = 32
POOL_SIZE = 10


def reassign_back_and_forth(command: ReassignTicket, locked: TicketState, *, colleague: EngineerId) -> Change:
    """Make the same command valid again and again."""
    current = locked.assignment
    if current is not None and current.engineer_id == command.engineer_id:
        command = replace(command, engineer_id=colleague)
    return reassign_ticket(command, locked)


async def run_locked(db: Database, decide: Decide, command: ReassignTicket) -> None:
    """As after a conflict: five round trips."""
    await db.in_transaction(
        lambda tx: run_in_transaction(tx, DISPATCHER, decide, command), lock_key=command.ticket_id
    )


async def run_fast_path(db: Database, decide: Decide, command: ReassignTicket) -> None:
    await run(db, DISPATCHER, decide, command)


async def measure_rate(work: Work, seconds: float) -> tuple[float, float]:
    """Return operations per second, and CPU milliseconds of this process per operation."""
    done = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await work(number)
            done += 1

    started, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return done / (time.perf_counter() - started), (time.process_time() - cpu_began) * 1000 / done


async def compare(title: str, variants: Variants, rounds: int, seconds: float) -> None:
    """Print each variant with its ratio to the first."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for work in variants.values():
        await measure_rate(work, 0.2)
    for _ in range(rounds):
        for name, work in variants.items():
            results[name].append(await measure_rate(work, seconds))
    first, *_ = results.values()
    print(f"\n{title}")
    for name, measurements in results.items():
        rates, costs = zip(*measurements, strict=True)
        ratio = statistics.median(rate / base for rate, (base, _) in zip(rates, first, strict=True))
        low, _, high = statistics.quantiles(rates, n=4)
        print(
            f"  {name:34}{statistics.median(rates):6.0f} per second ({low:.0f} to {high:.0f}){ratio:6.2f} x"
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
            decide = partial(reassign_back_and_forth, colleague=other)
            commands = [ReassignTicket(ticket_id=t, engineer_id=one, reason="x") for t in tickets]

            def changes(variant: Variant, servers: int, ticket_count: int) -> Work:
                """The clients share the tickets and the servers evenly."""
                return lambda client: variant(dbs[client % servers], decide, commands[client % ticket_count])

            for title, servers, ticket_count in (
                ("One ticket per client", 1, CLIENTS),
                ("One ticket, one server", 1, 1),
                ("One ticket, two servers", 2, 1),
            ):
                variants = {
                    "under the lock, as after a conflict": changes(run_locked, servers, ticket_count),
                    "optimistic, then lock": changes(run_fast_path, servers, ticket_count),
                }
                await compare(title, variants, rounds, seconds)
            reads = await read_variants(stack, url, tickets)
            await compare("Reads of a current assignment", reads, rounds, seconds)


async def read_variants(stack: AsyncExitStack, url: str, tickets: Sequence[TicketId]) -> Variants:
    reset = await stack.enter_async_context(
        asyncpg.create_pool(
            url, min_size=1, max_size=POOL_SIZE, server_settings=TimeLimits().session_settings
        )
    )
    cached = await stack.enter_async_context(open_database(url, pool_size=POOL_SIZE))
    ids = cycle(tickets)

    async def read(db: Database, _: int) -> None:
        async with db.connection() as conn:
            await assignments.current_of_tickets(conn, [next(ids)])

    return {
        "session reset after each use": partial(read, Database(reset)),
        "cached clean session": partial(read, cached),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--durable", action="store_true", help="commit waits for the disk")
    asyncio.run(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
