"""A mutation is complete: a command, a root field with its refusals, a sample and a test file."""

from pathlib import Path

import graphql
import pytest

from app.commands.command import COMMON_REFUSALS
from app.domain.lifecycle import TICKET_ALLOWED_FROM, Action
from app.graphql.schema import sdl
from tests.commands.samples import SAMPLES

SCHEMA = graphql.build_schema(sdl())
TESTS = Path(__file__).parents[1] / "commands"

every_command = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.action)


def test_every_action_has_one_command_and_one_root_field():
    assert sorted(sample.action for sample in SAMPLES) == sorted(Action)
    assert {sample.field_name for sample in SAMPLES} == set(SCHEMA.mutation_type.fields)


@every_command
def test_root_field_has_the_input_and_the_refusals_of_its_command(sample):
    name = type(sample.command).__name__
    field = SCHEMA.mutation_type.fields[sample.field_name]
    assert str(field.type) == f"{name}Result!"
    assert {str(argument.type) for argument in field.args.values()} == {f"{name}Input!"}
    members = {member.name for member in SCHEMA.type_map[f"{name}Result"].types}
    results = {Action.SET_HOURLY_RATE: "HourlyRate", Action.CREATE_TICKET: "CreatedTicket"}
    results |= {Action.ADD_NOTE: "TicketNote"}
    on_ticket = "Ticket" if sample.action in TICKET_ALLOWED_FROM else "Assignment"
    result = results.get(sample.action, on_ticket)
    assert members == {result} | {refusal.__name__ for refusal in sample.refusals}
    assert "idempotencyKey" in SCHEMA.type_map[f"{name}Input"].fields


@every_command
def test_command_has_a_test_file_and_the_common_refusals(sample):
    """tests/commands/conftest.py checks that the tests of that file raise all its refusals."""
    assert (TESTS / f"test_{sample.action}.py").exists()
    assert set(COMMON_REFUSALS) <= set(sample.refusals)


def test_shared_refusals_are_tested():
    assert (TESTS / "test_shared_refusals.py").exists()
