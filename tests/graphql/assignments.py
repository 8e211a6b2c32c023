"""Moves assignments to the statuses that tests of the API need."""

from decimal import Decimal
from typing import Any

from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.db.pool import Database
from app.domain.model import Assignment, CompletionStatus
from tests.factories import DISPATCHER, Factories


async def start(db: Database, assignment: Assignment) -> Assignment:
    return await run(db, DISPATCHER, start_assignment, StartAssignment(assignment_id=assignment.id))


async def escalate(db: Database, make: Factories, assignment: Assignment, **engineer: Any) -> Assignment:
    """Escalate to a new engineer with these columns; return the new assignment."""
    command = EscalateTicket(
        ticket_id=assignment.ticket_id,
        next_engineer_id=await make.engineer(**engineer),
        reason="no spare part",
    )
    return await run(db, DISPATCHER, escalate_ticket, command)


async def complete(db: Database, assignment: Assignment, hours: str, **report: Any) -> Assignment:
    """Start and complete, with success unless the report has another `completion_status`."""
    await start(db, assignment)
    report = {"completion_status": CompletionStatus.SUCCESS} | report
    command = CompleteAssignment(assignment_id=assignment.id, time_spent_hours=Decimal(hours), **report)
    return await run(db, DISPATCHER, complete_assignment, command)


async def insert_assignment(make: Factories, **columns: Any) -> Any:
    """Insert a row as the old application did; return its id."""
    defaults = {
        "assignment_sequence": 1,
        "assignment_tier": 1,
        "assignment_tier_name": "OEM",
        "assignment_type": "manual",
        "origin": "legacy",
    }
    return await make._insert("engineer_assignments", **defaults | columns)
