"""The pictures in the documents, drawn from the database's catalog and from what the commands decide.

`python -m tests.snapshots` puts each between its markers; tests compare them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.correct import CorrectTimeSpent, correct_time_spent
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.start import StartAssignment, start_assignment
from app.commands.ticket_state import TicketState
from app.domain.errors import NoCurrentAssignment, TicketAlreadyAssigned, TransitionNotAllowed
from app.domain.lifecycle import ACTIVE, AFTER_COMPLETE, ENDED
from app.domain.model import AssignmentStatus, Ticket, TicketPriority, TicketStatus
from tests.factories import DISPATCHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from app.commands.command import Command
    from app.commands.ticket_state import Change
    from app.db.connections import Connection

DOCS = Path(__file__).parents[1] / "docs"
DATA = DOCS / "data.md"
WORKFLOW = DOCS / "workflow.md"

_ID, _OTHER = str(UUID(int=1)), str(UUID(int=2))
_HOURS, _WHY = Decimal(1), "Why"
WISHES = [
    (AssignTicket(ticket_id="T", engineer_id=_ID), assign_ticket),
    (AcceptAssignment(assignment_id=_ID), accept_assignment),
    (StartAssignment(assignment_id=_ID), start_assignment),
    (RejectAssignment(assignment_id=_ID, reason=_WHY), reject_assignment),
    *(
        (
            CompleteAssignment(assignment_id=_ID, completion_status=how, time_spent_hours=_HOURS),
            complete_assignment,
        )
        for how in AFTER_COMPLETE
    ),
    (EscalateTicket(ticket_id="T", next_engineer_id=_OTHER, reason=_WHY), escalate_ticket),
    (ReassignTicket(ticket_id="T", engineer_id=_OTHER, reason=_WHY), reassign_ticket),
    (CancelAssignment(assignment_id=_ID, reason=_WHY), cancel_assignment),
    (RateAssignment(assignment_id=_ID, rating=5), rate_assignment),
    (CorrectTimeSpent(assignment_id=_ID, time_spent_hours=_HOURS * 2, reason=_WHY), correct_time_spent),
]
"""Each action once, completing once for each outcome."""

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
_ASSIGNED = assign_ticket(AssignTicket(ticket_id="T", engineer_id=_ID), _UNHELD).result


def decisions() -> Iterator[tuple[str, str | None, dict[AssignmentStatus | None, Change]]]:
    """Of each wish its action, its outcome, and what is decided by the assignment's status, None for none."""
    for command, decide in WISHES:
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
SELECT relname, attname, typname, is_primary, is_foreign, is_unique
FROM (
    SELECT c.relname, a.attname, a.attnum, t.typname,
        EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p' AND attnum = ANY (conkey))
            AS is_primary,
        EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND attnum = ANY (conkey))
            AS is_foreign,
        EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'u' AND conkey = ARRAY[attnum])
            AS is_unique
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname <> 'schema_migrations' AND a.attnum > 0 AND NOT a.attisdropped
) AS columns
WHERE is_primary OR is_foreign OR is_unique
ORDER BY relname, attnum
"""
_REFERENCES = """
SELECT k.confrelid::regclass::text, k.conrelid::regclass::text, a.attname, NOT a.attnotnull,
    EXISTS (SELECT FROM pg_constraint u
        WHERE u.conrelid = k.conrelid AND u.contype IN ('p', 'u') AND u.conkey = k.conkey)
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
    AND NOT (SELECT relispartition FROM pg_class WHERE oid = k.conrelid)
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
