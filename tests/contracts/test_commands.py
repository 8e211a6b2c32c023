"""A mutation is one command file, one line in the root, its refusals and its test; none can be forgotten."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import graphql
import pytest

import app.commands
from app.commands.command import COMMON_REFUSALS, Command
from app.domain.lifecycle import Action
from app.graphql.schema import sdl

SHARED = {"command", "ticket_state", "run"}
VERBS = sorted(m.name for m in pkgutil.iter_modules(app.commands.__path__) if m.name not in SHARED)
MODULES = {verb: import_module(f"app.commands.{verb}") for verb in VERBS}
SCHEMA = graphql.build_schema(sdl())
TESTS = Path(__file__).parents[1] / "commands"


def command_of(verb):
    [command] = [c for c in vars(MODULES[verb]).values() if isinstance(c, type) and c.__base__ is Command]
    return command


def test_what_people_can_do_is_the_list_of_files():
    assert set(VERBS) == set(Action)
    assert {command_of(verb).action for verb in VERBS} == set(Action)


@pytest.mark.parametrize("verb", VERBS)
def test_the_root_runs_it_and_answers_exactly_its_refusals(verb):
    name = command_of(verb).__name__
    field = SCHEMA.mutation_type.fields[name[0].lower() + name[1:]]
    assert str(field.type) == f"{name}Result!"
    assert {str(argument.type) for argument in field.args.values()} == {f"{name}Input!"}
    shown = {t.name for t in SCHEMA.type_map[f"{name}Result"].types}
    shown -= {"HourlyRate" if verb == "set_hourly_rate" else "Assignment"}
    assert shown == {refusal.__name__ for refusal in MODULES[verb].REFUSALS}
    assert "idempotencyKey" in SCHEMA.type_map[f"{name}Input"].fields


def test_the_root_has_nothing_else():
    assert len(SCHEMA.mutation_type.fields) == len(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_its_test_provokes_every_refusal(verb):
    text = (TESTS / f"test_{verb}.py").read_text(encoding="utf-8")
    # One test for all commands provokes a reused key.
    provoked = set(re.findall(r"\w+", text.split("\n\n", 2)[2])) | {"IdempotencyKeyReused"}
    missing = {refusal.__name__ for refusal in MODULES[verb].REFUSALS} - provoked
    assert missing == set()


def test_every_command_can_refuse_what_all_refuse():
    assert all(set(COMMON_REFUSALS) <= set(module.REFUSALS) for module in MODULES.values())
