"""The operations that documents show, as a reader would try them: one after the other, on data of one's own.

A block may begin with who signs in: `# As the engineer.`; a dispatcher does where it does not say. The blocks
of JSON right below are its variables and, with `data` or `errors`, its answer: `…` stands for anything, and
what it leaves out is not looked at. Names in angle brackets are what the reader puts in, found anew for each
block, on one ticket for each section.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from typing import Any

from app.db.connections import Connection
from app.domain.cursor import Cursor
from tests.docs.markdown import Block, blocks_of

_LAST = "SELECT {} FROM engineer_assignments WHERE ticket_id = $1 ORDER BY assignment_sequence DESC LIMIT 1"
_FREE = (
    "SELECT id::text FROM engineers WHERE is_active AND id NOT IN"
    " (SELECT engineer_id FROM engineer_assignments WHERE ticket_id = $1) ORDER BY id OFFSET {} LIMIT 1"
)
_MEANT = {
    "ticket": "SELECT $1::text",
    "equipment": "SELECT equipment_id FROM service_tickets WHERE id = $1",
    "customer": "SELECT customer_name FROM service_tickets WHERE id = $1",
    "assignment": _LAST.format("id::text"),
    "first assignment": f"{_LAST.format('id::text').removesuffix('DESC LIMIT 1')} LIMIT 1",
    "engineer": f"SELECT coalesce(({_LAST.format('engineer_id::text')}), ({_FREE.format(0)}))",
    "another engineer": _FREE.format(1),
    "inactive engineer": "SELECT id::text FROM engineers WHERE NOT is_active AND $1 <> '' LIMIT 1",
}
"""What a name in angle brackets stands for, on ticket $1."""

_NEW_TICKET = """
INSERT INTO service_tickets (id, ticket_number, equipment_id, customer_name, issue_description, priority)
SELECT $1, $1, equipment_id, customer_name, issue_description, 'critical' FROM service_tickets LIMIT 1
RETURNING id
"""
_CURSOR = str(Cursor.after(0))
_ROLE = re.compile(r"\A# As (?:an?|the) (admin|dispatcher|engineer|auditor)\.")


@dataclass(frozen=True)
class Example:
    block: Block
    role: str
    variables: str
    answer: str | None

    @property
    def place(self) -> str:
        return self.block.place


def stories() -> list[list[Example]]:
    """The examples of each section: they follow one another."""
    sections = groupby(blocks_of("graphql"), key=lambda block: (block.page.name, block.section))
    return [[_example(block) for block in blocks] for _, blocks in sections]


def _example(block: Block) -> Example:
    below = block.page.blocks[block.page.blocks.index(block) + 1 :]
    told = list(takewhile(lambda b: b.language == "json" and b.section == block.section, below))
    answers = [b.text for b in told if {"data", "errors"} & json.loads(b.text).keys()]
    variables = [b.text for b in told if b.text not in answers]
    assert max(len(answers), len(variables)) <= 1, f"{block.place}: more than one block of a kind below"
    role = _ROLE.match(block.text)
    return Example(
        block, role[1] if role else "dispatcher", (variables or ["{}"])[0], answers[0] if answers else None
    )


@dataclass
class Reader:
    """Puts in what is meant; reports a fault anew for each section."""

    conn: Connection
    _tickets: dict[tuple[str, str], str] = field(default_factory=dict)

    async def filled_in(self, text: str, block: Block) -> str:
        ticket = await self._ticket(block.page.name, block.section)
        text = text.replace("<cursor>", _CURSOR)
        for name, statement in _MEANT.items():
            if f"<{name}>" in text:
                meant = await self.conn.fetchval(statement, ticket)
                assert meant is not None, f"{block.place}: there is no <{name}> yet"
                text = text.replace(f"<{name}>", meant)
        left = re.search(r"<[a-z ]+>", text)
        assert not left, f"{block.place}: what is {left}?"
        return text

    async def engineer_of(self, block: Block) -> str:
        return await self.filled_in("<engineer>", block)

    async def _ticket(self, *section: str) -> str:
        if section not in self._tickets:
            self._tickets[section] = await self.conn.fetchval(_NEW_TICKET, f"DOCS-{len(self._tickets) + 1}")
        return self._tickets[section]


def differences(shown: Any, got: Any, path: str = "") -> list[str]:
    """Where the answer is not as it is shown."""
    if isinstance(shown, dict) and isinstance(got, dict):
        return [d for name, part in shown.items() for d in differences(part, got.get(name), f"{path}.{name}")]
    if isinstance(shown, list) and isinstance(got, list) and (len(shown) == len(got)):
        return [d for i, part in enumerate(shown) for d in differences(part, got[i], f"{path}[{i}]")]
    if isinstance(shown, str) and "…" in shown:
        start, end = shown.split("…", 1)
        alike = got is not None and str(got).startswith(start) and str(got).endswith(end)
        return [] if alike else [f"{path}: {got!r} instead of {shown!r}"]
    return [] if shown == got else [f"{path}: {got!r} instead of {shown!r}"]
