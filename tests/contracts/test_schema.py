"""The GraphQL schema is complete and described, and changes for clients only on purpose."""

import re
import runpy
from dataclasses import fields
from pathlib import Path

import graphql
import pytest

from app.commands.command import to_camel_case
from app.domain.errors import DomainError
from app.domain.model import Assignment, Engineer, Equipment, Ticket
from app.graphql.schema import sdl
from tests.snapshots import ROOT, SCHEMA_GRAPHQL

RELEASED = Path(__file__).with_name("released.graphql")
"""schema.graphql of the last release; copied here at each release."""

ACKNOWLEDGED: frozenset[str] = frozenset()
"""Intended breaking changes since the last release, as the failing test prints them."""

PRIVATE_WORDS = runpy.run_path(str(ROOT / ".ci" / "language.py"))["WORDS"]
SCHEMA = graphql.build_schema(sdl())
TYPES = {
    name: type_
    for name, type_ in SCHEMA.type_map.items()
    if not name.startswith("__") and name not in graphql.specified_scalar_types
}


def test_schema_graphql_is_current():
    assert SCHEMA_GRAPHQL.read_text(encoding="utf-8") == sdl(), "run: make fix"


def test_breaking_changes_are_acknowledged():
    released = graphql.build_schema(RELEASED.read_text(encoding="utf-8"))
    breaking = {change.description for change in graphql.find_breaking_changes(released, SCHEMA)}
    assert breaking == ACKNOWLEDGED


def test_breaking_changes_are_detected():
    changed = graphql.build_schema(sdl().replace("customerName: String\n", "customerName: Int\n", 1))
    assert graphql.find_breaking_changes(SCHEMA, changed)


def descriptions():
    """Yield the path, the name and the description of every element."""
    for name, type_ in TYPES.items():
        yield name, name, type_.description
        for field_name, field in getattr(type_, "fields", {}).items():
            yield f"{name}.{field_name}", field_name, field.description
            for argument_name, argument in getattr(field, "args", {}).items():
                yield f"{name}.{field_name}({argument_name})", argument_name, argument.description
        for value_name, value in getattr(type_, "values", {}).items():
            yield f"{name}.{value_name}", value_name, value.description


def is_well_formed(name, description):
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower().split()
    return (
        re.fullmatch(r"[A-Z0-9].*\.", description or "", re.DOTALL) is not None
        and not PRIVATE_WORDS.search(description)
        and [word for word in re.findall(r"\w+", description.lower()) if word not in ("a", "an", "the")]
        != words
    )


def test_every_description_is_a_plain_sentence():
    """It starts with a capital, ends with a full stop, has no private word and does not repeat the name."""
    wrong = {path: text for path, name, text in descriptions() if not is_well_formed(name, text)}
    assert wrong == {}


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("closedAt", None),
        ("closedAt", ""),
        ("closedAt", "when the ticket was closed."),
        ("closedAt", "When the ticket was closed"),
        ("closedAt", "When the company closed it."),  # language: quoted
        ("ticketNumber", "The ticket number."),
    ],
)
def test_a_bad_description_is_detected(name, description):
    assert not is_well_formed(name, description)


KOTLIN_AND_SWIFT = {
    "Any", "Array", "Boolean", "Byte", "Char", "Character", "Collection", "Comparable", "Data", "Date",
    "DateInterval", "Decimal", "Dictionary", "Double", "Error", "Exception", "Float", "Function", "Int",
    "Iterable", "Lazy", "List", "Locale", "Long", "Map", "Measurement", "Never", "Nothing", "Notification",
    "Number", "Operation", "Optional", "Pair", "Process", "Progress", "Result", "Sequence", "Set", "Short",
    "String", "Task", "Throwable", "Thread", "TimeZone", "Timer", "Triple", "Type", "UUID", "Unit", "Void",
}  # fmt: skip
"""Types that every Kotlin file imports, or that Swift and its Foundation define."""


def types_in_use():
    """The names of the types of all arguments and fields that are not deprecated."""
    for type_ in TYPES.values():
        for field in getattr(type_, "fields", {}).values():
            for element in (field, *getattr(field, "args", {}).values()):
                if element.deprecation_reason is None:
                    yield graphql.get_named_type(element.type).name


def test_no_type_has_a_name_that_clashes_in_generated_code():
    clashing = set(types_in_use()) & KOTLIN_AND_SWIFT
    # Generators map scalars to types of the client.
    assert [name for name in clashing if not graphql.is_scalar_type(SCHEMA.type_map[name])] == []


@pytest.mark.parametrize("refusal", DomainError.__subclasses__(), ids=lambda refusal: refusal.__name__)
def test_every_refusal_is_a_type_of_the_schema(refusal):
    assert "Refusal" in {interface.name for interface in TYPES[refusal.__name__].interfaces}


@pytest.mark.parametrize("row", [Assignment, Ticket, Engineer, Equipment], ids=lambda row: row.__name__)
def test_every_column_is_a_field_of_the_schema(row):
    columns = {to_camel_case(field.name) for field in fields(row)}
    # The schema has the object itself in place of its id.
    assert columns - TYPES[row.__name__].fields.keys() <= {"ticketId", "engineerId", "equipmentId"}
