"""The operations sent to every server: equal results, for PostGraphile in its own schema."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from tests.benchmarks.data import HISTORY

Variables = dict[str, Any]

_TICKET = "id ticketNumber status priority customerName createdAt"
_CURRENT = "currentAssignment { id assignmentTier status engineer { id name } }"
_ASSIGNMENT = """id assignmentSequence assignmentTier assignmentTierName assignmentType status assignedAt
    acceptedAt completedAt escalationReason timeSpentHours"""
_HISTORY = f"assignmentHistory {{ {_ASSIGNMENT} }}"

_ROW_TICKET = f"id: rowId {_TICKET.removeprefix('id ')}"
_ROW_CURRENT = """currentAssignment { id: rowId assignmentTier status
    engineer: engineerByEngineerId { id: rowId name } }"""
_ROW_HISTORY = f"""assignmentHistory: engineerAssignmentsByTicketIdList(orderBy: ASSIGNMENT_SEQUENCE_ASC) {{
    id: rowId {_ASSIGNMENT.removeprefix("id ")} }}"""


@dataclass(frozen=True, slots=True)
class Operation:
    """`variables` yields those of each request, for a number of tickets."""

    name: str
    document: str
    for_postgraphile: str
    variables: Callable[[int], Iterator[Variables]]
    with_history: bool = True
    is_list: bool = False


def any_ticket(tickets: int) -> Iterator[Variables]:
    """Yield random tickets, the same in every run."""
    rng = random.Random(1)  # noqa: S311 - chooses what is read
    while True:
        yield {"id": f"T-{rng.randint(1, tickets)}"}


def _ticket_operation(name: str, baton: str, postgraphile: str, *, with_history: bool) -> Operation:
    return Operation(
        name,
        f"query One($id: ID!) {{ ticket(id: $id) {{ {baton} }} }}",
        f"query One($id: String!) {{ ticket: serviceTicketByRowId(rowId: $id) {{ {postgraphile} }} }}",
        any_ticket,
        with_history=with_history,
    )


ONE = _ticket_operation(
    "one ticket, current assignment, engineer",
    f"{_TICKET} {_CURRENT}",
    f"{_ROW_TICKET} {_ROW_CURRENT}",
    with_history=False,
)
WITH_HISTORY = _ticket_operation(
    f"the same with its history of {HISTORY}",
    f"{_TICKET} {_CURRENT} {_HISTORY}",
    f"{_ROW_TICKET} {_ROW_CURRENT} {_ROW_HISTORY}",
    with_history=True,
)
LIST = Operation(
    "list of 50 with current assignment and history",
    f"""query List($first: Int!) {{ tickets(first: $first) {{ nodes {{
        {_TICKET} {_CURRENT} {_HISTORY} }} }} }}""",
    f"""query List($first: Int!) {{
        tickets: allServiceTicketsList(first: $first, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]) {{
            {_ROW_TICKET} {_ROW_CURRENT} {_ROW_HISTORY} }} }}""",
    lambda _: repeat({"first": 50}),
    is_list=True,
)
READS = (ONE, WITH_HISTORY, LIST)


def normalize(value: Any) -> Any:
    """Remove differences between valid responses: case, time zone notation, list wrappers."""
    if isinstance(value, dict):
        return (
            normalize(value["nodes"])
            if value.keys() == {"nodes"}
            else {k: normalize(v) for k, v in value.items()}
        )
    if isinstance(value, list):
        return [normalize(v) for v in value]
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value.upper()
