"""A repeat of a mutation returns what the first request changed, as it is now, and is named as a repeat."""

import asyncio
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.lifecycle import TICKET_ALLOWED_FROM, Action
from app.domain.model import Role
from app.graphql.schema import build_schema
from tests.commands.samples import SAMPLES, to_input, with_values
from tests.commands.world import NOTHING, World
from tests.graphql.conftest import act_as

OTHERS = {Action.SET_HOURLY_RATE, Action.CREATE_TICKET, *TICKET_ALLOWED_FROM}
ON_ASSIGNMENTS = [sample for sample in SAMPLES if sample.action not in OTHERS]
SCALARS = " ".join(
    name
    for name, field in build_schema()._schema.type_map["Assignment"].fields.items()
    if name not in ("ticket", "engineer", "equipment", "partsUsed")
)
STATE = f"fragment State on Assignment {{ {SCALARS} partsUsed {{ partNumber quantity }} }}"
TICKET = "...State ticket { id status currentAssignment { ...State } assignmentHistory { ...State } }"
FRESH = f"query ($id: ID!) {{ assignment(id: $id) {{ {TICKET} }} }} {STATE}"
KEYS = count()


def mutation(sample):
    type_ = type(sample.command).__name__
    return f"""mutation ($input: {type_}Input!) {{ done: {sample.field_name}(input: $input) {{
        ... on Assignment {{ {TICKET} }} ... on Refusal {{ code }} }} }} {STATE}"""


def cached(result):
    """The assignments of a result by id, as a normalised cache stores them; each may have one state only."""
    ticket = result["ticket"]
    states = [
        {name: value for name, value in result.items() if name != "ticket"},
        *ticket["assignmentHistory"],
    ]
    states += [ticket["currentAssignment"]] if ticket["currentAssignment"] else []
    by_id = {state["id"]: state for state in states}
    assert all(by_id[state["id"]] == state for state in states)
    current = [state["id"] for state in by_id.values() if state["isCurrent"]]
    assert current == ([ticket["currentAssignment"]["id"]] if ticket["currentAssignment"] else [])
    return by_id


steps = st.lists(st.tuples(st.sampled_from(ON_ASSIGNMENTS), st.booleans()), min_size=3, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_a_repeat_after_any_commands_equals_a_fresh_read(serve_freely, db, make, steps):
    ask, world, ticket = serve_freely, World(db), await make.ticket()
    made = []
    # Assign first, so that most of the steps are allowed.
    for sample, on_first in [(ON_ASSIGNMENTS[0], False), *steps]:
        history = await world.history(ticket)
        target = history[0 if on_first else -1].id if history else NOTHING
        engineer = await make.engineer()
        ids = {
            "ticket_id": ticket,
            "assignment_id": target,
            "engineer_id": engineer,
            "next_engineer_id": engineer,
        }
        input_ = to_input(with_values(sample.command, ids)) | {"idempotencyKey": f"key {next(KEYS)}"}
        response = await ask.answer(mutation(sample), input=input_)
        assert "replayed" not in response["extensions"]
        if "code" not in response["data"]["done"]:
            made.append((sample, input_, response["data"]["done"]["id"]))
    changes = await world.count_changes()
    for sample, input_, id_ in made:
        response = await ask.answer(mutation(sample), input=input_)
        assert response["extensions"]["replayed"] == ["done"]
        assert response["data"]["done"] == (await ask(FRESH, id=id_))["assignment"]
        assert id_ in cached(response["data"]["done"])
    assert await world.count_changes() == changes


@pytest.fixture
async def serve_freely(serve):
    return await serve(bucket=10**9)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.action)
async def test_only_the_repeats_of_concurrent_requests_are_named(ask, db, make, tokens, sample):
    act_as(ask, tokens, Role.ADMIN)
    command, _ = await sample.prepare(make, World(db))
    document = f"""mutation ($input: {type(command).__name__}Input!) {{
        a: {sample.field_name}(input: $input) {{ __typename }}
        b: {sample.field_name}(input: $input) {{ __typename }} }}"""
    input_ = to_input(command) | {"idempotencyKey": "k"}
    responses = await asyncio.gather(*(ask.answer(document, input=input_) for _ in range(3)))
    replayed = sorted(response["extensions"]["replayed"] for response in responses)
    assert replayed == [["a", "b"], ["a", "b"], ["b"]]


async def test_an_engineer_gets_no_assignment_that_is_no_longer_theirs(ask, db, make, tokens):
    """Only the old application gives an existing assignment to another engineer."""
    assigned = await make.assigned()
    act_as(ask, tokens, Role.ENGINEER, assigned.engineer_id)
    [accept] = (sample for sample in SAMPLES if sample.action is Action.ACCEPT)
    input_ = {"assignmentId": str(assigned.id), "idempotencyKey": "k"}
    assert "code" not in (await ask(mutation(accept), input=input_))["done"]
    async with db.connection() as conn:
        await conn.execute(
            "/* test */ UPDATE engineer_assignments SET engineer_id = $2 WHERE id = $1",
            assigned.id,
            await make.engineer(),
        )
    repeat = await ask.answer(mutation(accept), input=input_)
    assert repeat["data"]["done"] == {"code": "ASSIGNMENT_NOT_FOUND"}
    assert "replayed" not in repeat["extensions"]
