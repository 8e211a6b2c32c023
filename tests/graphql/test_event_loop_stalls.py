"""Whatever one client sends, the others go on: how long each attack holds up the event loop."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_S = 0.5
"""Far below what people notice; a busy machine takes a few hundredths."""


def spread(count: int, inside: str) -> str:
    """A page of tickets with so many fragments."""
    return (
        "{ tickets { nodes {"
        + "".join(f" ...F{i}" for i in range(count))
        + " } } }"
        + "".join(f" fragment F{i} on Ticket {{ {inside} }}" for i in range(count))
    )


def chain(length: int, times: int) -> str:
    """Each fragment spreads the next so many times."""
    links = [f" fragment F{i} on Ticket {{ {f'...F{i + 1} ' * times}}}" for i in range(length)]
    return "{ tickets { nodes { ...F0 } } }" + "".join(links) + f" fragment F{length} on Ticket {{ id }}"


def circle(count: int) -> str:
    return spread(count, " ".join(f"...F{i}" for i in range(count)))


def tickets(fields: str) -> str:
    return "{ tickets { nodes { " + fields + " } } }"


ATTACKS = {
    "fragments, two to the power of 60": (chain(60, 2), "fields"),
    "fragments, two to the power of 170": (chain(170, 2), "fields"),
    "160 fragments in a row": (chain(160, 1), None),
    "9 fragments that spread each other": (circle(9), "BAD_USER_INPUT"),
    "25 fragments that spread each other": (circle(25), "comparisons"),
    "3000 times the same object": (tickets("equipment { id } " * 3000), "characters"),
    "240 times the same object": (tickets("equipment { id } " * 240), "comparisons"),
    "400 fragments that overlap": (spread(400, "equipment { id }"), "characters"),
    "130 fragments that overlap": (spread(130, "equipment { id }"), "comparisons"),
    "10000 directives": (tickets("id @skip(if: true) " * 10_000), "characters"),
    "240 directives": (tickets("id @skip(if: true) " * 240), "directives"),
    "an unused fragment that overlaps": (
        tickets("id") + " fragment F on Ticket { " + "equipment { id } " * 480 + "}",
        "comparisons",
    ),
    "240 operations of one fragment": (
        "".join(f"query Q{i} {{ ...F }} " for i in range(240)) + "fragment F on Query { viewer { role } }",
        None,
    ),
    "200 operations of a large fragment": (
        "".join(f"query Q{i} {{ ...F }} " for i in range(200))
        + "fragment F on Query { viewer { "
        + "role " * 80
        + "} }",
        "fields",
    ),
    "490 unknown fields": (tickets(" ".join(f"ticketNumbe{i}" for i in range(490))), "BAD_USER_INPUT"),
    "600 unknown parts of a filter": (
        "{ tickets(filter: {" + " ".join(f"a{i}: 1" for i in range(600)) + "}) { totalCount } }",
        "BAD_USER_INPUT",
    ),
    "900 unknown fragments": (tickets(" ".join(f"...F{i}" for i in range(900))), "BAD_USER_INPUT"),
    "comments": ("#\n" * 1990 + "{ viewer { role } }", None),
    "megabytes of comments": ("#\n" * 1_000_000 + "{ viewer { role } }", "CONTENT_TOO_LARGE"),
    "megabytes of text": ('{ ticket(id: """' + "x\n" * 1_000_000 + '""") { id } }', "CONTENT_TOO_LARGE"),
    "brackets": ("{ ticket(id: " + "[" * 900 + "]" * 900 + ") { id } }", "BAD_USER_INPUT"),
}
"""Each with the limit that refuses it, or the code; None where it is answered."""


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """How long past its time each beat of the loop came."""
    late: list[float] = []

    async def beat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - before - 0.001)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0.01)
    late.clear()
    try:
        yield late
        await asyncio.sleep(0.003)
    finally:
        beating.cancel()


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_does_not_hold_up_the_others(client, name):
    document, refused_by = ATTACKS[name]
    body = json.dumps({"query": document, "operationName": "Q0" if " Q0 " in document else None}).encode()
    worst = []
    for _ in range(3):  # the machine may be busy with something else
        async with heartbeat() as late:
            response = await client.post(
                "/graphql", content=body, headers={"Content-Type": "application/json"}
            )
        worst.append(max(late))
    print(f"{min(worst) * 1000:6.1f} ms, at worst {max(worst) * 1000:6.1f} ms: {name}")  # noqa: T201 - for -s
    answer: Any = response.json()
    told = answer.get("errors", [{}])[0].get("extensions", {})
    assert told.get("limit", told.get("code")) == refused_by
    assert min(worst) < MOST_S
