"""The pictures in the documents, drawn from the database's catalog and from what the commands decide.

`python -m tests.snapshots` puts each between its markers; tests compare them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.ticket_state import TicketState
from app.domain.errors import NoCurrentAssignment, TicketAlreadyAssigned, TransitionNotAllowed
from app.domain.lifecycle import ACTIVE, AFTER_COMPLETE, ENDED, Action
from app.domain.model import AssignmentStatus, Ticket, TicketPriority, TicketStatus
from tests.commands.samples import SAMPLES
from tests.factories import DISPATCHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from app.commands.command import Command
    from app.commands.ticket_state import Change
    from app.db.connections import Connection

DOCS = Path(__file__).parents[1] / "docs"
DATA = DOCS / "data.md"
WORKFLOW = DOCS / "workflow.md"

COMMANDS = [
    (command, sample.decide)
    for sample in SAMPLES
    if sample.action is not Action.SET_HOURLY_RATE
    for command in (
        [replace(sample.command, completion_status=outcome) for outcome in AFTER_COMPLETE]
        if sample.action is Action.COMPLETE
        else [sample.command]
    )
]
"""One command for each action; for COMPLETE, one for each outcome."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_TICKET = Ticket(
    id="T",
    ticket_number="T",
    status=TicketStatus.ASSIGNED,
    priority=TicketPriority.LOW,
    customer_name=None,
    issue_category=None,
    issue_description=None,
    equipment_id=None,
    created_at=_NOW,
    updated_at=_NOW,
    started_at=None,
    resolved_at=None,
    closed_at=None,
)
_UNHELD = TicketState(_TICKET, None, 0, engineer_is_active=True, actor=DISPATCHER, now=_NOW)
_ASSIGNED = assign_ticket(AssignTicket(ticket_id="T", engineer_id=str(UUID(int=1))), _UNHELD).result


def decisions() -> Iterator[tuple[str, str | None, dict[AssignmentStatus | None, Change]]]:
    """Of each wish its action, its outcome, and what is decided by the assignment's status, None for none."""
    for command, decide in COMMANDS:
        yield command.action, getattr(command, "completion_status", None), dict(_by_status(command, decide))


def _by_status(
    command: Command, decide: Callable[..., Change]
) -> Iterator[tuple[AssignmentStatus | None, Change]]:
    for status in (None, *AssignmentStatus):
        held = None if status is None else replace(_ASSIGNED, status=status)
        try:
            yield status, decide(command, replace(_UNHELD, assignment=held, last_sequence=1))
        except (NoCurrentAssignment, TicketAlreadyAssigned, TransitionNotAllowed):
            continue


def state_diagram() -> str:
    """Mermaid; one arrow for all actions that lead from one status to another."""
    arrows: dict[tuple[str, str], dict[str, None]] = {}
    for action, _, by_status in decisions():
        for status, change in by_status.items():
            if status != (after := change.events[0][1].status):
                arrows.setdefault((status or "[*]", after), {})[action] = None
    told = [f"    {start} --> {end}: {', '.join(actions)}" for (start, end), actions in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    direction LR", *told])


def action_table() -> str:
    """Markdown: from where an action starts, and what becomes of the assignment and the ticket."""
    rows = ["| action | from | the assignment becomes | the ticket becomes |", "|---|---|---|---|"]
    for action, outcome, by_status in decisions():
        assignment = {change.events[0][1].status for change in by_status.values()}
        change = next(iter(by_status.values()))
        cells = (
            action if outcome is None else f"{action}, {outcome}",
            _starts(by_status),
            assignment.pop() if len(assignment) == 1 else "as it was",
            change.ticket_status or "as it was",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _starts(by_status: Iterable[AssignmentStatus | None]) -> str:
    starts = frozenset(by_status)
    for words, all_of_them in (("none", {None}), ("any active", ACTIVE), ("any that has ended", ENDED)):
        if starts == all_of_them:
            return words
    return ", ".join(status for status in AssignmentStatus if status in starts)


_COLUMNS = """
SELECT c.relname, a.attname, t.typname,
    EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p' AND attnum = ANY (conkey)),
    EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND attnum = ANY (conkey)),
    EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'u' AND conkey = ARRAY[attnum])
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'schema_migrations' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
_REFERENCES = """
SELECT k.confrelid::regclass::text, k.conrelid::regclass::text, a.attname, NOT a.attnotnull,
    EXISTS (SELECT FROM pg_constraint u
        WHERE u.conrelid = k.conrelid AND u.contype IN ('p', 'u') AND u.conkey = k.conkey)
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
ORDER BY 2, 3
"""


async def entity_diagram(conn: Connection) -> str:
    """Mermaid, of every table but the migrator's own."""
    lines = ["erDiagram"]
    for whole, part, column, optional, once in await conn.fetch(_REFERENCES):
        left, right = "|o" if optional else "||", "o|" if once else "o{"
        lines.append(f"    {whole} {left}--{right} {part} : {column}")
    table = None
    for name, column, kind, *keys in await conn.fetch(_COLUMNS):
        if name != table:
            lines += ["    }"] * (table is not None) + [f"    {name} {{"]
            table = name
        marks = ", ".join(mark for mark, holds in zip(("PK", "FK", "UK"), keys, strict=True) if holds)
        shown = re.sub(r"^_(.*)", r"\1[]", kind)
        lines.append(f"        {shown} {column} {marks}".rstrip())
    return "\n".join([*lines, "    }"])


def with_part(text: str, name: str, part: str) -> str:
    """The document's text with `part` between the markers of this name."""
    begin, end = f"<!-- made: {name} -->", "<!-- end -->"
    before, found, rest = text.partition(begin)
    assert found, f"no marker {begin}"
    return f"{before}{begin}\n{part}\n{end}{rest.partition(end)[2]}"


def fenced(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"


def drawn_workflow(text: str) -> str:
    return with_part(with_part(text, "states", fenced(state_diagram())), "actions", action_table())


async def drawn_data(text: str, conn: Connection) -> str:
    return with_part(text, "tables", fenced(await entity_diagram(conn)))
