"""A mutation with an invalid value is refused with the name of the field, and changes nothing."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from graphql import get_named_type, is_required_input_field

from app.graphql.schema import build_schema
from tests.commands.samples import ASSIGNMENT, SAMPLES, to_input
from tests.graphql.bad_input import (
    NOT_UUIDS,
    UNKNOWN,
    UNSTORABLE,
    abbreviate,
    assert_bad_user_input,
    assert_no_internals,
    send,
    unchanged_tables,
)

ROOTS = build_schema()._schema.mutation_type.fields
MUTATIONS: dict[str, dict[str, Any]] = {sample.field_name: to_input(sample.command) for sample in SAMPLES}
"""An input of each, valid except that the engineer does not exist."""
PART = {"partNumber": "P-1", "partName": "Coil", "quantity": 1, "cost": "1"}

OUT_OF_BOUNDS: list[tuple[str, str, list[Any]]] = [
    ("assignTicket", "tier", [0, -1, 6]),
    ("assignTicket", "type", ["AUTO", "ESCALATION", "REASSIGNMENT"]),
    ("assignTicket", "expectedSequence", [-1]),
    ("escalateTicket", "nextTier", [0, -1, 6]),
    ("escalateTicket", "expectedSequence", [-1]),
    ("reassignTicket", "expectedSequence", [-1]),
    ("completeAssignment", "completionStatus", ["ESCALATED"]),
    ("completeAssignment", "timeSpentHours", ["-1", -1, "1000", "0.005", 0.005, "-0.01"]),
    ("completeAssignment", "timeSpentHours", ["NaN", "sNaN", "Infinity", "1e1000", "1e-1000"]),
    ("completeAssignment", "partsUsed", [[PART] * 101]),
    ("rateAssignment", "rating", [0, 6, -1]),
    ("setHourlyRate", "hourlyRate", ["-1", "0.005", "10000000", "NaN", "Infinity", "1e1000"]),
    ("setHourlyRate", "validFrom", ["2026-03-01T00:00:00", "0001-01-01T00:00:00+14:00"]),
]
OUT_OF_BOUNDS_IN_PARTS = {
    "quantity": [0, -1, 10_001],
    "cost": ["-1", "0.001", "NaN", "10000000"],
    "partNumber": ["", "x" * 201, "\0"],
    "partName": [" ", "x" * 201, "\ud800"],
}
NOT_INTS = [2**31, -(2**31) - 1, 2**63, 1.5, "1", True, [1, 2], {}]
NOT_DECIMALS = ["", "one", "1,5", "0x10", True, [], {}]
OF_ANOTHER_TYPE: list[tuple[str, str, list[Any]]] = [
    ("assignTicket", "tier", NOT_INTS),
    ("escalateTicket", "nextTier", NOT_INTS),
    ("reassignTicket", "expectedSequence", NOT_INTS),
    ("rateAssignment", "rating", NOT_INTS),
    ("completeAssignment", "timeSpentHours", NOT_DECIMALS),
    ("setHourlyRate", "hourlyRate", NOT_DECIMALS),
    ("setHourlyRate", "validFrom", ["", "yesterday", "2026-02-30T00:00:00Z", 1, True]),
    ("completeAssignment", "completionStatus", ["", "success", "DONE", 1, ["SUCCESS", "FAILED"]]),
    ("completeAssignment", "partsUsed", [[PART | {"quantity": value}] for value in [*NOT_INTS, None]]),
    ("completeAssignment", "partsUsed", [[PART | {"cost": value}] for value in [*NOT_DECIMALS, None]]),
]


def input_type(mutation: str) -> Any:
    return get_named_type(ROOTS[mutation].args["input"].type)


def values_out_of_bounds(mutation: str) -> Iterator[tuple[str, Any]]:
    """Yield fields as the refusal names them, each with a value out of its bounds."""
    for field, declaration in input_type(mutation).fields.items():
        values = bad_texts(field, get_named_type(declaration.type).name)
        if MUTATIONS[mutation].get(field) == "x":  # a required reason
            values += ["", " \n\t "]
        yield from ((field, value) for value in values)
    for name, field, values in OUT_OF_BOUNDS:
        yield from ((field, value) for value in values if name == mutation)
    if mutation == "completeAssignment":
        for field, values in OUT_OF_BOUNDS_IN_PARTS.items():
            yield from ((f"partsUsed.1.{field}", [PART, PART | {field: value}]) for value in values)


def bad_texts(field: str, type_name: str) -> list[Any]:
    if type_name not in ("ID", "String"):
        return []
    if field in ("ticketId", "equipmentId", "followUpOfId", "duplicateOfId"):
        return ["", "x" * 65, *UNSTORABLE]
    if type_name == "ID":
        return [*NOT_UUIDS, *UNSTORABLE]
    is_short = field in ("idempotencyKey", "tierName", "nextTierName")
    return ["x" * (201 if is_short else 4001), "x" * 200_000, *UNSTORABLE]


def values_of_another_type(mutation: str) -> Iterator[tuple[str, Any]]:
    for name, field, values in OF_ANOTHER_TYPE:
        yield from ((field, value) for value in values if name == mutation)
    for field in MUTATIONS[mutation]:
        is_required = is_required_input_field(input_type(mutation).fields[field])
        yield from ((field, value) for value in ({"a": 1}, *([None] if is_required else [])))
    yield "unknownField", 1


@pytest.fixture
async def mutate(client, make, db):
    """Send a mutation about the new ticket T-1 or the assigned ticket T-2; it must change nothing."""
    engineer = await make.engineer(id=UUID(int=7))
    for ticket in ("T-1", "T-2"):
        await make.ticket(id=ticket)
    await make.legacy_assignment(id=ASSIGNMENT, ticket_id="T-2", engineer_id=engineer, status="assigned")

    async def mutate(name: str, field: str, value: Any) -> Any:
        query = f"""mutation ($input: {input_type(name).name}!) {{ {name}(input: $input) {{
            __typename ... on Refusal {{ code message }} ... on InvalidInput {{ field }} }} }}"""
        return await send(client, query, input=MUTATIONS[name] | {field: value})

    async with unchanged_tables(db):
        yield mutate


def test_every_mutation_is_in_the_table():
    assert set(MUTATIONS) == set(ROOTS)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_value_out_of_bounds_is_refused_by_field(mutate, mutation):
    for field, value in values_out_of_bounds(mutation):
        response = await mutate(mutation, field.partition(".")[0], value)
        if "errors" in response:
            assert_bad_user_input(response, field, value)
        else:
            refusal = response["data"][mutation]
            assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", field), abbreviate(value)
            assert len(refusal["message"]) < 200
            assert_no_internals(refusal)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_value_of_another_type_is_an_error(mutate, mutation):
    for field, value in values_of_another_type(mutation):
        assert_bad_user_input(await mutate(mutation, field, value), field, value)


@pytest.mark.parametrize(
    ("mutation", "field", "value", "code"),
    [
        ("assignTicket", "ticketId", "T-0", "TICKET_NOT_FOUND"),
        ("assignTicket", "ticketId", "'; DROP TABLE service_tickets; --", "TICKET_NOT_FOUND"),
        ("assignTicket", "engineerId", UNKNOWN, "ENGINEER_NOT_FOUND"),
        ("assignTicket", "expectedSequence", 2**31 - 1, "STALE_SEQUENCE"),
        ("escalateTicket", "ticketId", "T-0", "TICKET_NOT_FOUND"),
        ("escalateTicket", "ticketId", "T-1", "NO_CURRENT_ASSIGNMENT"),
        ("escalateTicket", "nextEngineerId", UNKNOWN, "ENGINEER_NOT_FOUND"),
        ("escalateTicket", "nextTier", 1, "TIER_NOT_HIGHER"),
        ("reassignTicket", "ticketId", "T-0", "TICKET_NOT_FOUND"),
        ("reassignTicket", "engineerId", UNKNOWN, "ENGINEER_NOT_FOUND"),
        *(
            (name, "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND")
            for name in MUTATIONS
            if "Assignment" in name
        ),
    ],
)
async def test_an_unknown_id_has_its_own_refusal(mutate, mutation, field, value, code):
    refusal = (await mutate(mutation, field, value))["data"][mutation]
    assert refusal["code"] == code
    assert refusal["__typename"].upper() == code.replace("_", "")
