"""The contract with clients: complete, described, and not broken unawares."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import graphql
import pytest

from app.commands.command import to_camel_case
from app.domain.errors import DomainError
from app.domain.model import Assignment, Engineer, Equipment, Ticket
from app.graphql.schema import sdl
from tests.snapshots import SCHEMA_GRAPHQL

RELEASED = Path(__file__).with_name("released.graphql")
"""schema.graphql as of the last release; copied here when there is one."""

ACKNOWLEDGED: frozenset[str] = frozenset()
"""Breaking changes since the last release that somebody has decided on, as the failing test words them."""

SCHEMA = graphql.build_schema(sdl())
OURS = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}


def test_schema_graphql_is_current():
    assert SCHEMA_GRAPHQL.read_text(encoding="utf-8") == sdl(), "run: make fix"


def test_nothing_breaks_clients_of_the_last_release_unless_acknowledged():
    released = graphql.build_schema(RELEASED.read_text(encoding="utf-8"))
    broken = {change.description for change in graphql.find_breaking_changes(released, SCHEMA)}
    assert broken == ACKNOWLEDGED


def test_a_breaking_change_is_noticed():
    narrowed = graphql.build_schema(sdl().replace("customerName: String\n", "customerName: Int\n", 1))
    assert graphql.find_breaking_changes(SCHEMA, narrowed)


def elements():
    for name, kind in OURS.items():
        if name in graphql.specified_scalar_types:
            continue
        yield name, kind
        for field_name, field in getattr(kind, "fields", {}).items():
            yield f"{name}.{field_name}", field
            for argument_name, argument in getattr(field, "args", {}).items():
                yield f"{name}.{field_name}({argument_name})", argument
        for value_name, value in getattr(kind, "values", {}).items():
            yield f"{name}.{value_name}", value


def test_every_element_is_described():
    assert [name for name, element in elements() if not (element.description or "").strip()] == []


@pytest.mark.parametrize("refusal", DomainError.__subclasses__(), ids=lambda r: r.__name__)
def test_every_refusal_of_the_domain_is_a_type_of_the_schema(refusal):
    kind = OURS[refusal.__name__]
    assert "Refusal" in {interface.name for interface in kind.interfaces}


@pytest.mark.parametrize("kind", [Assignment, Ticket, Engineer, Equipment], ids=lambda kind: kind.__name__)
def test_what_the_domain_knows_is_shown(kind):
    known = {to_camel_case(field.name) for field in fields(kind)}
    # Instead of the id of something else there is the thing itself.
    assert known - OURS[kind.__name__].fields.keys() <= {"ticketId", "engineerId", "equipmentId"}
