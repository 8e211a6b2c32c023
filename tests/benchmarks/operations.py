"""The operations sent to every server: equal results, for PostGraphile in its own schema."""

import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import md5
from itertools import count, repeat
from typing import Any
from uuid import UUID

import orjson

from tests.benchmarks.data import ENGINEERS, HISTORY, created_at

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
    is_cold: bool = False
    """Each request has a new text."""
    connections: int = 32

    def documents(self, *, postgraphile: bool) -> Iterator[str]:
        """Yield the text of each request."""
        text = self.for_postgraphile if postgraphile else self.document
        return (text.replace("One(", f"One{n}(") for n in count()) if self.is_cold else repeat(text)


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


def random_pages(tickets: int) -> Iterator[Variables]:
    """Pages of 50 after random tickets."""
    for ticket in any_ticket(tickets - 50):
        number = int(ticket["id"].removeprefix("T-")) + 50
        key = created_at(number), f"T-{number}"
        yield {"first": 50, "after": urlsafe_b64encode(orjson.dumps(key)).decode()}


def decode_key(after: str) -> tuple[datetime, str]:
    """The creation time and the id that a page comes after."""
    at, id_ = orjson.loads(urlsafe_b64decode(after))
    return datetime.fromisoformat(at), id_


def _random_engineers(_: int) -> Iterator[Variables]:
    rng = random.Random(1)  # noqa: S311 - chooses what is read
    while True:
        digest = md5(f"engineer{rng.randrange(ENGINEERS)}".encode(), usedforsecurity=False)
        yield {"first": 50, "engineerId": str(UUID(digest.hexdigest()))}


def _list_operation(
    name: str,
    variables: Callable[[int], Iterator[Variables]],
    arguments: str,
    postgraphile: str,
    *,
    parameters: str = "",
    postgraphile_parameters: str | None = None,
) -> Operation:
    return Operation(
        name,
        f"""query List($first: Int!{parameters}) {{ tickets(first: $first{arguments}) {{ nodes {{
            {_TICKET} {_CURRENT} {_HISTORY} }} }} }}""",
        f"""query List($first: Int!{postgraphile_parameters or parameters}) {{
            tickets: {postgraphile} {{ {_ROW_TICKET} {_ROW_CURRENT} {_ROW_HISTORY} }} }}""",
        variables,
        is_list=True,
    )


PAGES = _list_operation(
    "list of 50 with current assignments and histories, each request another page",
    random_pages,
    ", after: $after",
    "ticketsAfter(first: $first, after: $after)",
    parameters=", $after: String!",
)
OF_ENGINEERS = _list_operation(
    "the same, each request the tickets of another engineer",
    _random_engineers,
    ", filter: {engineerId: $engineerId}",
    "ticketsOfEngineer(first: $first, engineerId: $engineerId)",
    parameters=", $engineerId: ID!",
    postgraphile_parameters=", $engineerId: UUID!",
)
LIST = _list_operation(
    "the same, all requests the same page",
    lambda _: repeat({"first": 50}),
    "",
    "allServiceTicketsList(first: $first, orderBy: [CREATED_AT_DESC, ROW_ID_DESC])",
)
COLD = replace(ONE, name="one ticket, each request a new text", is_cold=True)
ALONE = replace(ONE, name="one ticket, one client alone", connections=1)
READS = (PAGES, OF_ENGINEERS, ONE, WITH_HISTORY, LIST, COLD, ALONE)


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
