"""Every root field of Query and every field of its types, read over HTTP."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from graphql import get_named_type, is_interface_type, is_leaf_type, is_object_type

from app.domain.model import Assignment, PartUsed, Role
from app.graphql.schema import build_schema
from tests.commands.world import World
from tests.graphql.conftest import act_as

UNKNOWN = str(UUID(int=0))


async def complete_and_rate(world: World, assignment: Assignment) -> Assignment:
    report = {"diagnosis": "worn coil", "actions_taken": "coil replaced", "notes": "look again in May"}
    parts = (PartUsed("P-1", "Coil", 2, Decimal("19.9")),)
    await world.complete(assignment, "1.5", parts_used=parts, **report)
    return await world.act("rate", assignment)


def select_all(type_: Any, depth: int) -> str:
    """Return a selection of all fields of a type, nested `depth` times."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    assert is_object_type(named) or is_interface_type(named), named
    fields = [
        f"{name}{'(first: 2)' if 'first' in field.args else ''} {select_all(field.type, depth - 1)}"
        for name, field in named.fields.items()
        if is_leaf_type(get_named_type(field.type)) or depth
    ]
    return "{ " + " ".join(fields) + " }"


async def test_every_field_of_every_root_resolves(ask, tokens, make, world):
    act_as(ask, tokens, Role.ADMIN)
    equipment = await make.equipment(serial_number="SN-1")
    assignment = await make.assigned(ticket=await make.ticket(equipment_id=equipment))
    await complete_and_rate(world, await world.escalate(assignment))
    arguments = {
        "ticket": f'(id: "{assignment.ticket_id}")',
        "tickets": "(filter: {}, first: 2)",
        "auditEvents": '(filter: {from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z"}, first: 2)',
        "assignment": f'(id: "{assignment.id}")',
        "engineer": f'(id: "{assignment.engineer_id}")',
        "engineers": "(first: 2)",
        "billableTime": f'(from: "{assignment.assigned_at}", to: "{assignment.assigned_at + timedelta(1)}")',
        "hourlyRates": f'(engineerId: "{assignment.engineer_id}", first: 2)',
        "statistics": '(from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z")',
        "suggestEngineers": f'(ticketId: "{assignment.ticket_id}")',
        "viewer": "",
    }
    roots = build_schema()._schema.query_type.fields
    assert set(arguments) == set(roots)
    for name, root in roots.items():
        data = await ask(f"{{ {name}{arguments[name]} {select_all(root.type, 1)} }}")
        assert data[name] is not None
        fields = getattr(get_named_type(root.type), "fields", {})
        for field in (field for field in fields if not is_leaf_type(get_named_type(fields[field].type))):
            argument = "(first: 2)" if "first" in fields[field].args else ""
            selected = f"{field}{argument} {select_all(fields[field].type, 1)}"
            assert await ask(f"{{ {name}{arguments[name]} {{ {selected} }} }}")


PATHS = {
    "Ticket": (
        "ticket(id: $open) %s",
        "ticket(id: $done) %s",
        "tickets(first: 5) { nodes %s }",
        "assignment(id: $assignment) { ticket %s }",
    ),
    "Assignment": (
        "assignment(id: $assignment) %s",
        "ticket(id: $open) { currentAssignment %s }",
        "ticket(id: $done) { assignmentHistory %s }",
        "tickets(first: 5) { nodes { currentAssignment %s } }",
        "tickets(first: 5) { nodes { assignmentHistory %s } }",
        "tickets(first: 5) { nodes { currentAssignment { id } assignmentHistory %s } }",
        "engineer(id: $engineer) { assignments { nodes %s } }",
    ),
    "Engineer": (
        "engineer(id: $engineer) %s",
        "ticket(id: $open) { currentAssignment { engineer %s } }",
        "ticket(id: $done) { assignmentHistory { engineer %s } }",
        "tickets(first: 5) { nodes { currentAssignment { engineer %s } } }",
        "tickets(first: 5) { nodes { timeByEngineer { engineer %s } } }",
    ),
}
"""Paths to objects of each type with columns that are read only if a field needs them."""


@pytest.mark.parametrize(("type_name", "path"), [(name, path) for name in PATHS for path in PATHS[name]])
async def test_a_field_has_the_same_value_with_and_without_others(ask, make, world, type_name, path):
    columns = {"equipment_id": await make.equipment(serial_number="SN-1"), "issue_description": "Stripes"}
    first, second = [await make.assigned(ticket=await make.ticket(**columns)) for _ in range(2)]
    engineer = {"email": "b@example.org", "home_region": "North", "skills": ["SN-1"]}
    assignment = await world.escalate(first, **engineer)
    done = await complete_and_rate(world, await world.escalate(second, **engineer))
    for name, value in {
        "open": assignment.ticket_id,
        "done": done.ticket_id,
        "assignment": assignment.id,
        "engineer": done.engineer_id,
    }.items():
        path = path.replace(f"${name}", f'"{value}"')
    type_ = build_schema()._schema.type_map[type_name]
    complete_data = await ask(f"{{ {path % select_all(type_, 1)} }}")
    assert "SN-1" in str(complete_data)
    for name, field in type_.fields.items():
        if name != "assignments":  # a connection, selected differently by the other paths
            data = await ask(f"{{ {path % f'{{ {name} {select_all(field.type, 0)} }}'} }}")
            assert data == keep_only(complete_data, type_.fields.keys(), name), name


def keep_only(data: Any, fields: Collection[str], name: str) -> Any:
    """Remove all fields except `name` from the objects that have `fields`."""
    if isinstance(data, list):
        return [keep_only(item, fields, name) for item in data]
    if not isinstance(data, dict):
        return data
    if name in data and set(fields) <= {*data, "assignments"}:
        return {name: data[name]}
    return {key: keep_only(value, fields, name) for key, value in data.items()}


async def test_objects_that_do_not_exist_are_null(ask):
    data = await ask(
        f"""{{ ticket(id: "T-0") {{ id }} assignment(id: "{UNKNOWN}") {{ id }}
               engineer(id: "{UNKNOWN}") {{ id }} }}"""
    )
    assert data == {"ticket": None, "assignment": None, "engineer": None}


async def test_assignment_and_engineer_by_id_in_either_case(ask, make):
    assignment = await make.assigned(tier=3)
    data = await ask(
        """query ($assignment: ID!, $engineer: ID!) {
            assignment(id: $assignment) { id ticket { id currentAssignment { id } } isCurrent assignmentTier }
            engineer(id: $engineer) { id name level email region skills isActive activeAssignments }
        }""",
        assignment=str(assignment.id).upper(),
        engineer=str(assignment.engineer_id),
    )
    assert data["assignment"] == {
        "id": str(assignment.id),
        "ticket": {"id": assignment.ticket_id, "currentAssignment": {"id": str(assignment.id)}},
        "isCurrent": True,
        "assignmentTier": 3,
    }
    assert data["engineer"] == {
        "id": str(assignment.engineer_id), "name": "Ana Lima", "level": 1, "email": None, "region": None,
        "skills": [], "isActive": True, "activeAssignments": 1,
    }  # fmt: skip


async def test_viewer_is_the_user_of_the_token(ask, make, tokens):
    query = "{ viewer { subject role engineer { name } } }"
    dispatcher = {"subject": "dispatcher@development", "role": "DISPATCHER", "engineer": None}
    assert (await ask(query))["viewer"] == dispatcher
    engineer = await make.engineer("Ana Lima")
    act_as(ask, tokens, Role.ENGINEER, engineer)
    assert (await ask(query))["viewer"] == {
        "subject": f"engineer:{engineer}",
        "role": "ENGINEER",
        "engineer": {"name": "Ana Lima"},
    }


async def test_datetimes_have_microseconds_and_an_offset(ask, make):
    ticket = await make.ticket(created_at=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC))
    data = await ask("query ($id: ID!) { ticket(id: $id) { createdAt } }", id=ticket)
    assert data["ticket"]["createdAt"] == "2026-03-01T12:30:15.123456+00:00"


async def test_a_mutation_reads_what_the_previous_one_wrote(ask, make):
    assignment = await make.assigned()
    selection = (
        "... on Assignment { ticket { status assignmentHistory { status } currentAssignment { status } } }"
    )
    data = await ask(
        f"""mutation ($id: ID!) {{
            accept: acceptAssignment(input: {{assignmentId: $id}}) {{ {selection} }}
            start: startAssignment(input: {{assignmentId: $id}}) {{ {selection} }}
        }}""",
        id=str(assignment.id),
    )
    for name, status, ticket_status in (
        ("accept", "ACCEPTED", "ASSIGNED"),
        ("start", "IN_PROGRESS", "IN_PROGRESS"),
    ):
        assert data[name]["ticket"] == {
            "status": ticket_status,
            "assignmentHistory": [{"status": status}],
            "currentAssignment": {"status": status},
        }
