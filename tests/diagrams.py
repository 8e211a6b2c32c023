"""Diagrams and tables for the documents, made from the database catalog and from the commands' decisions.

`python -m tests.snapshots` writes each between its markers; tests compare them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.command import Command
from app.commands.ticket_state import Change, TicketState
from app.db.connections import Connection
from app.domain.errors import (
    NoCurrentAssignment,
    TicketAlreadyAssigned,
    TicketTransitionNotAllowed,
    TransitionNotAllowed,
)
from app.domain.lifecycle import ACTIVE, AFTER_COMPLETE, ENDED, TICKET_ALLOWED_FROM, Action
from app.domain.model import Assignment, AssignmentStatus, Ticket, TicketDetails, TicketPriority, TicketStatus
from tests.commands.samples import SAMPLES, Sample
from tests.factories import DISPATCHER

DOCS = Path(__file__).parents[1] / "docs"
DATA = DOCS / "data.md"
WORKFLOW = DOCS / "workflow.md"

COMMANDS = [
    (command, sample.decide)
    for sample in SAMPLES
    if sample.action not in {Action.SET_HOURLY_RATE, Action.CREATE_TICKET, *TICKET_ALLOWED_FROM}
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
_UNASSIGNED = TicketState(
    _TICKET, TicketDetails(_TICKET.id), None, 0, engineer_is_active=True, actor=DISPATCHER, now=_NOW
)
_ASSIGNING = AssignTicket(ticket_id="T", engineer_id=str(UUID(int=1)))
_ASSIGNED = assign_ticket(_ASSIGNING, _UNASSIGNED).events[-1][1]


def decisions() -> Iterator[tuple[str, str | None, dict[AssignmentStatus | None, Change]]]:
    """Yield each action, its outcome, and its change for each assignment status that allows it.

    The status None stands for a ticket without a current assignment.
    """
    for command, decide in COMMANDS:
        yield command.action, getattr(command, "completion_status", None), dict(_by_status(command, decide))


def _by_status(
    command: Command, decide: Callable[..., Change]
) -> Iterator[tuple[AssignmentStatus | None, Change]]:
    for status in (None, *AssignmentStatus):
        current = None if status is None else replace(_ASSIGNED, status=status)
        try:
            yield status, decide(command, replace(_UNASSIGNED, assignment=current, last_sequence=1))
        except (NoCurrentAssignment, TicketAlreadyAssigned, TransitionNotAllowed):
            continue


def state_diagram() -> str:
    """Return Mermaid text with one arrow for all actions between two statuses."""
    arrows: dict[tuple[str, str], dict[str, None]] = {}
    for action, _, by_status in decisions():
        for status, change in by_status.items():
            if status != (after := change.events[0][1].status):
                arrows.setdefault((status or "[*]", after), {})[action] = None
    lines = [f"    {start} --> {end}: {', '.join(actions)}" for (start, end), actions in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    direction LR", *lines])


def action_table() -> str:
    """Return a Markdown table of the statuses before and after each action."""
    rows = ["| action | allowed from | assignment becomes | ticket becomes |", "|---|---|---|---|"]
    for action, outcome, by_status in decisions():
        statuses = {change.events[0][1].status for change in by_status.values()}
        change = next(iter(by_status.values()))
        cells = (
            action if outcome is None else f"{action}, {outcome}",
            _allowed_from(by_status),
            statuses.pop() if len(statuses) == 1 else "unchanged",
            change.ticket_status or "unchanged",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def ticket_table() -> str:
    """Return a Markdown table of the actions on a ticket itself, without and with a current assignment."""
    rows = [
        "| action | allowed from | ticket becomes | with a current assignment | events |",
        "|---|---|---|---|---|",
    ]
    for sample in SAMPLES:
        if sample.action not in TICKET_ALLOWED_FROM:
            continue
        without, with_one = (dict(_by_ticket_status(sample, current)) for current in (None, _ASSIGNED))
        statuses = [status for status in TicketStatus if status in without]
        allowed = "any" if statuses == list(TicketStatus) else ", ".join(statuses)
        after = [next(iter(changes.values())).ticket_status or "unchanged" for changes in (without, with_one)]
        events = [type_ for type_, _ in next(iter(with_one.values())).events]
        cells = (sample.action, allowed, *after, ", ".join(events))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _by_ticket_status(sample: Sample, assignment: Assignment | None) -> Iterator[tuple[TicketStatus, Change]]:
    for status in TicketStatus:
        state = replace(
            _UNASSIGNED,
            ticket=replace(_TICKET, status=status),
            assignment=assignment,
            related_status=TicketStatus.NEW,
            equipment_exists=True,
        )
        try:
            yield status, sample.decide(sample.command, state)
        except TicketTransitionNotAllowed:
            continue


def _allowed_from(by_status: Iterable[AssignmentStatus | None]) -> str:
    starts = frozenset(by_status)
    for words, statuses in (("no assignment", {None}), ("any active", ACTIVE), ("any final", ENDED)):
        if starts == statuses:
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
        AND c.relname <> 'baton_migrations' AND a.attnum > 0 AND NOT a.attisdropped
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
    """Return Mermaid text of every table except the migrator's own."""
    lines = ["erDiagram"]
    for parent, child, column, is_optional, is_unique in await conn.fetch(_REFERENCES):
        left, right = "|o" if is_optional else "||", "o|" if is_unique else "o{"
        lines.append(f"    {parent} {left}--{right} {child} : {column}")
    table = None
    for name, column, kind, *keys in await conn.fetch(_COLUMNS):
        if name != table:
            lines += ["    }"] * (table is not None) + [f"    {name} {{"]
            table = name
        marks = ", ".join(mark for mark, is_key in zip(("PK", "FK", "UK"), keys, strict=True) if is_key)
        type_name = re.sub(r"^_(.*)", r"\1[]", kind)
        lines.append(f"        {type_name} {column} {marks}".rstrip())
    return "\n".join([*lines, "    }"])


def with_part(text: str, name: str, part: str) -> str:
    """Return the document with `part` between the markers of this name."""
    begin, end = f"<!-- made: {name} -->", "<!-- end -->"
    before, marker, rest = text.partition(begin)
    assert marker, f"no marker {begin}"
    return f"{before}{begin}\n{part}\n{end}{rest.partition(end)[2]}"


def fenced(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"


def render_workflow(text: str) -> str:
    text = with_part(with_part(text, "states", fenced(state_diagram())), "actions", action_table())
    return with_part(text, "ticket actions", ticket_table())


async def render_data(text: str, conn: Connection) -> str:
    return with_part(text, "tables", fenced(await entity_diagram(conn)))
