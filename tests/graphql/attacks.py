"""Operations that try to keep the server busy: what each asks for, and what it gets."""

from typing import Any, NamedTuple

from graphql import get_introspection_query

LONG_HISTORY = "LONG-1"
"""A ticket with HISTORY_LENGTH assignments in the benchmark."""
HISTORY_LENGTH = 20_000


class Attack(NamedTuple):
    document: str
    expected: str | None = None
    """The limit that rejects it, or the code; None if it is executed."""
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


def spread(count: int, selection: str) -> str:
    """A page of tickets with `count` fragments."""
    return (
        "{ tickets { nodes {"
        + "".join(f" ...F{i}" for i in range(count))
        + " } } }"
        + "".join(f" fragment F{i} on Ticket {{ {selection} }}" for i in range(count))
    )


def chain(length: int, times: int) -> str:
    """A chain of fragments that each spread the next one `times` times."""
    links = [f" fragment F{i} on Ticket {{ {f'...F{i + 1} ' * times}}}" for i in range(length)]
    return "{ tickets { nodes { ...F0 } } }" + "".join(links) + f" fragment F{length} on Ticket {{ id }}"


def cycle(count: int) -> str:
    return spread(count, " ".join(f"...F{i}" for i in range(count)))


def tickets(fields: str) -> str:
    return "{ tickets { nodes { " + fields + " } } }"


def roots(count: int, field: str) -> str:
    return "{ " + " ".join(f"a{i}: {field}" for i in range(count)) + " }"


DOCUMENTS = {
    "fragments that expand to 2**60 fields": Attack(chain(60, 2), "fields"),
    "fragments that expand to 2**170 fields": Attack(chain(170, 2), "fields"),
    "a chain of 160 fragments": Attack(chain(160, 1)),
    "9 fragments that spread each other": Attack(cycle(9), "BAD_USER_INPUT"),
    "25 fragments that spread each other": Attack(cycle(25), "comparisons"),
    "the same object 3000 times": Attack(tickets("equipment { id } " * 3000), "characters"),
    "the same object 240 times": Attack(tickets("equipment { id } " * 240), "comparisons"),
    "400 fragments that overlap": Attack(spread(400, "equipment { id }"), "characters"),
    "130 fragments that overlap": Attack(spread(130, "equipment { id }"), "comparisons"),
    "10000 directives": Attack(tickets("id @skip(if: true) " * 10_000), "characters"),
    "240 directives": Attack(tickets("id @skip(if: true) " * 240), "directives"),
    "an unused fragment that overlaps": Attack(
        tickets("id") + " fragment F on Ticket { " + "equipment { id } " * 480 + "}", "comparisons"
    ),
    "240 operations of one fragment": Attack(
        "".join(f"query Q{i} {{ ...F }} " for i in range(240)) + "fragment F on Query { viewer { role } }",
        operation_name="Q0",
    ),
    "200 operations of a large fragment": Attack(
        "".join(f"query Q{i} {{ ...F }} " for i in range(200))
        + "fragment F on Query { viewer { "
        + "role " * 80
        + "} }",
        "fields",
        operation_name="Q0",
    ),
    "490 unknown fields": Attack(tickets(" ".join(f"ticketNumbe{i}" for i in range(490))), "BAD_USER_INPUT"),
    "600 unknown fields of a filter": Attack(
        "{ tickets(filter: {" + " ".join(f"a{i}: 1" for i in range(600)) + "}) { totalCount } }",
        "BAD_USER_INPUT",
    ),
    "900 unknown fragments": Attack(tickets(" ".join(f"...F{i}" for i in range(900))), "BAD_USER_INPUT"),
    "comments": Attack("#\n" * 1990 + "{ viewer { role } }"),
    "megabytes of comments": Attack("#\n" * 1_000_000 + "{ viewer { role } }", "CONTENT_TOO_LARGE"),
    "megabytes of text": Attack(
        '{ ticket(id: """' + "x\n" * 1_000_000 + '""") { id } }', "CONTENT_TOO_LARGE"
    ),
    "brackets": Attack("{ ticket(id: " + "[" * 900 + "]" * 900 + ") { id } }", "BAD_USER_INPUT"),
    "30 aliases": Attack(roots(20, "viewer { role }")),
    "31 aliases": Attack(tickets(" ".join(f"a{i}: id" for i in range(31))), "aliases"),
    "20 @skip": Attack(
        "query ($x: Boolean!) { viewer { " + "role @skip(if: $x) " * 20 + "} }", None, {"x": False}
    ),
    "a list of 20000 statuses": Attack(
        "query ($s: [TicketStatus!]) { tickets(filter: {status: $s}) { nodes { id } } }",
        None,
        {"s": ["NEW"] * 20_000},
    ),
    "20000 unknown statuses": Attack(
        "query ($s: [TicketStatus!]) { tickets(filter: {status: $s}) { nodes { id } } }",
        "BAD_USER_INPUT",
        {"s": ["NEWW"] * 20_000},
    ),
    "variables of 250 kB": Attack(
        "query ($id: ID!) { ticket(id: $id) { id } }", "BAD_USER_INPUT", {"id": "x" * 250_000}
    ),
    "15000 unused variables": Attack("{ viewer { role } }", None, {f"v{i}": i for i in range(15_000)}),
    "deep variables": Attack("{ viewer { role } }", None, {"v": [[[[[[[[[[]]]]]]]]]] * 4000}),
    "20 times the arguments of all fields": Attack(
        roots(20, "__schema { types { fields { args { name type { name } } } } }"), "cost"
    ),
}
"""What they cost is in their documents and variables."""

EVERYTHING = """__typename id assignmentSequence assignmentTier assignmentTierName assignmentReason
    assignmentType status assignedBy assignedAt acceptedAt rejectedAt startedAt completedAt rejectionReason
    escalationReason cancellationReason completionStatus timeSpentHours diagnosis actionsTaken notes
    partsUsed { __typename } customerRating customerFeedback createdAt updatedAt isCurrent"""
INTROSPECTIONS = {
    "the standard introspection query": Attack(get_introspection_query(input_value_deprecation=True)),
    "the arguments of all fields, twice": Attack(
        roots(2, "__schema { types { fields { args { name type { name } } } } }")
    ),
    "introspection beside data": Attack(
        "{ viewer { role } __schema { types { name fields { name args { name type { name } } } } } }"
    ),
    "the types of all fields of all types": Attack(
        "{ __schema { types { fields { type { ofType { fields { name } } } } } } }"
    ),
}


def history(selection: str) -> Attack:
    document = "query ($id: ID!) { ticket(id: $id) { assignmentHistory { " + selection + " } } }"
    return Attack(document, None, {"id": LONG_HISTORY})


HISTORIES = {
    "a long history, all fields": history(EVERYTHING),
    "a long history with objects": history(
        EVERYTHING + " engineer { id name } equipment { id name } ticket { id ticketNumber status }"
    ),
    "a long history, fields of the engineer": history("engineer { id name activeAssignments }"),
    "a long history of histories": history("ticket { assignmentHistory { id } }"),
    "figures of a long history": Attack(
        """query ($id: ID!) { ticket(id: $id) { escalationCount totalTimeSpentHours
            timeByEngineer { timeSpentHours engineer { id } } currentAssignment { id } } }""",
        None,
        {"id": LONG_HISTORY},
    ),
}
ATTACKS = {**DOCUMENTS, **INTROSPECTIONS, **HISTORIES}
