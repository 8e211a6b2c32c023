"""The operations in the documents, with their variables and expected responses.

A GraphQL block may start with a comment that names the role, `# As the engineer.`; a dispatcher is the
default. The JSON blocks below it are its variables and, with `data` or `errors`, its response. In a response
`…` stands for any text, and omitted fields are not compared. Names in angle brackets are replaced for each
block; all blocks of a section use the same ticket.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from typing import Any

from app.db.connections import Connection
from app.domain.cursor import Cursor
from tests.docs.markdown import Block, blocks_in

_LAST = "SELECT {} FROM engineer_assignments WHERE ticket_id = $1 ORDER BY assignment_sequence DESC LIMIT 1"
_NOT_YET_ASSIGNED = (
    "SELECT id::text FROM engineers WHERE is_active AND id NOT IN"
    " (SELECT engineer_id FROM engineer_assignments WHERE ticket_id = $1) ORDER BY id OFFSET {} LIMIT 1"
)
_PLACEHOLDERS = {
    "ticket": "SELECT $1::text",
    "equipment": "SELECT equipment_id FROM service_tickets WHERE id = $1",
    "customer": "SELECT customer_name FROM service_tickets WHERE id = $1",
    "assignment": _LAST.format("id::text"),
    "first assignment": f"{_LAST.format('id::text').removesuffix('DESC LIMIT 1')} LIMIT 1",
    "engineer": f"SELECT coalesce(({_LAST.format('engineer_id::text')}), ({_NOT_YET_ASSIGNED.format(0)}))",
    "another engineer": _NOT_YET_ASSIGNED.format(1),
    "inactive engineer": "SELECT id::text FROM engineers WHERE NOT is_active AND $1 <> '' LIMIT 1",
}
"""The statement that returns the value of each name in angle brackets, for ticket $1."""

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
    response: str | None

    @property
    def location(self) -> str:
        return self.block.location


def examples_by_section() -> list[list[Example]]:
    """The examples of a section depend on each other, in their order."""
    sections = groupby(blocks_in("graphql"), key=lambda block: (block.page.name, block.section))
    return [[_example(block) for block in blocks] for _, blocks in sections]


def _example(block: Block) -> Example:
    below = block.page.blocks[block.page.blocks.index(block) + 1 :]
    texts = [b.text for b in takewhile(lambda b: b.language == "json" and b.section == block.section, below)]
    responses = [text for text in texts if {"data", "errors"} & json.loads(text).keys()]
    variables = [text for text in texts if text not in responses]
    assert max(len(responses), len(variables)) <= 1, f"{block.location}: two JSON blocks of the same kind"
    role = _ROLE.match(block.text)
    return Example(
        block,
        role[1] if role else "dispatcher",
        variables[0] if variables else "{}",
        responses[0] if responses else None,
    )


@dataclass
class PlaceholderValues:
    """Replaces names in angle brackets; creates a ticket for each section."""

    conn: Connection
    _tickets: dict[tuple[str, str], str] = field(default_factory=dict)

    async def fill(self, text: str, block: Block) -> str:
        ticket = await self._ticket(block.page.name, block.section)
        text = text.replace("<cursor>", _CURSOR)
        for name, statement in _PLACEHOLDERS.items():
            if f"<{name}>" in text:
                value = await self.conn.fetchval(statement, ticket)
                assert value is not None, f"{block.location}: there is no <{name}> yet"
                text = text.replace(f"<{name}>", value)
        unknown = re.search(r"<[a-z ]+>", text)
        assert not unknown, f"{block.location}: unknown name {unknown}"
        return text

    async def engineer(self, block: Block) -> str:
        return await self.fill("<engineer>", block)

    async def _ticket(self, *section: str) -> str:
        if section not in self._tickets:
            self._tickets[section] = await self.conn.fetchval(_NEW_TICKET, f"DOCS-{len(self._tickets) + 1}")
        return self._tickets[section]


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Where the response is not as documented."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            yield from differences(value, actual.get(name), f"{path}.{name}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for i, value in enumerate(expected):
            yield from differences(value, actual[i], f"{path}[{i}]")
    elif not _matches(expected, actual):
        yield f"{path}: {actual!r} instead of {expected!r}"


def _matches(expected: Any, actual: Any) -> bool:
    if isinstance(expected, str) and "…" in expected and actual is not None:
        start, end = expected.split("…", 1)
        return str(actual).startswith(start) and str(actual).endswith(end)
    return bool(expected == actual)
