"""The mutation root: one line for each command.

A command's file says all that is needed: its fields become the input type, its REFUSALS the result union.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import MISSING, fields
from types import ModuleType
from typing import Annotated, Any, Union, get_type_hints

import strawberry

from app.commands import (
    accept,
    assign,
    cancel,
    complete,
    correct,
    escalate,
    rate,
    reassign,
    reject,
    set_hourly_rate,
    start,
)
from app.commands.command import Command
from app.commands.run import run
from app.domain import values
from app.domain.errors import DomainError, InvalidInput
from app.graphql.context import Info
from app.graphql.types.refusals import REFUSAL_TYPES, as_data
from app.graphql.types.scalars import graphql_type
from app.graphql.types.ticket import Assignment, HourlyRate

_KEY = "idempotency_key"
_check_key = values.text(values.SHORT, required=True)


def mutation(
    module: ModuleType, *, runs: Callable[..., Awaitable[Any]] = run, answers: type = Assignment
) -> Any:  # noqa: ANN401 - a Strawberry field
    """The field that runs the module's command."""
    command = next(c for c in vars(module).values() if isinstance(c, type) and c.__base__ is Command)
    decide = getattr(module, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", command.__name__).lower())

    async def resolve(self, info, input):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ARG001 - annotated below
        actor = info.context.actor
        try:
            key = _key(input, info.context.idempotency_key)
            wish = command(**_given(command, input))
            return await runs(
                info.context.db, actor, decide, wish, idempotency_key=key, origin=info.context.origin
            )
        except DomainError as refused:
            info.context.observation.refused(info.field_name, refused)
            return as_data(refused)
        finally:
            await info.context.has_changed()

    resolve.__annotations__ = {
        "info": Info,
        "input": Annotated[_input_type(command), strawberry.argument(description="What is wished for.")],
        "return": _result_type(command, answers, module.REFUSALS),
    }
    return strawberry.mutation(resolver=resolve, description=command.__doc__)


def _input_type(command: type[Command]) -> type:
    hints = get_type_hints(command)
    namespace: dict[str, Any] = {"__annotations__": {}}
    for f in fields(command):  # type: ignore[arg-type] # every command is a dataclass
        hint, described = graphql_type(hints[f.name]), {"description": f.metadata["description"]}
        if f.default is not MISSING:
            hint = hint | None
            # A null or a missing value means the default, which only needs saying where there is one.
            described["default"] = f.default or strawberry.UNSET
        namespace["__annotations__"][f.name] = hint
        namespace[f.name] = strawberry.field(**described)
    namespace["__annotations__"][_KEY] = str | None
    namespace[_KEY] = strawberry.field(
        description="Your own name for this wish, up to 200 characters; the header Idempotency-Key says the"
        " same. Sent again with the same input within 24 hours, it changes nothing and answers the same; with"
        " another input it is refused.",
        default=strawberry.UNSET,
    )
    return strawberry.input(
        type(f"{command.__name__}Input", (), namespace), description=f"What {_spoken(command)} needs."
    )


def _result_type(command: type[Command], answers: type, refusals: tuple[type[DomainError], ...]) -> Any:  # noqa: ANN401
    members = (answers, *(REFUSAL_TYPES[refusal] for refusal in refusals))
    return Annotated[
        Union[members],  # noqa: UP007 - a union of types known at run time
        strawberry.union(f"{command.__name__}Result", description=f"What {_spoken(command)} answers."),
    ]


def _given(command: type[Command], input: object) -> dict[str, object]:
    """The values that were sent. A null means the default."""
    sent = {f.name: getattr(input, f.name) for f in fields(command)}  # type: ignore[arg-type] # as above
    return {
        name: value for name, value in sent.items() if value is not None and value is not strawberry.UNSET
    }


def _key(input: object, header: str | None) -> str | None:
    """The key as input and header name it, None where neither does. Raises InvalidInput."""
    given = getattr(input, _KEY)
    named = [raw for raw in (given, header) if raw is not None and raw is not strawberry.UNSET]
    keys = {_check_key("idempotencyKey", raw) for raw in named}
    if len(keys) > 1:
        raise InvalidInput("idempotencyKey", "must be as in the header Idempotency-Key, or left out")
    return keys.pop() if keys else None


def _spoken(command: type[Command]) -> str:
    return command.__name__[0].lower() + command.__name__[1:]


@strawberry.type(description="What people do. Each changes one ticket, or one rate, whole or not at all.")
class Mutation:
    assign_ticket = mutation(assign)
    escalate_ticket = mutation(escalate)
    reassign_ticket = mutation(reassign)
    accept_assignment = mutation(accept)
    reject_assignment = mutation(reject)
    start_assignment = mutation(start)
    complete_assignment = mutation(complete)
    cancel_assignment = mutation(cancel)
    rate_assignment = mutation(rate)
    correct_time_spent = mutation(correct)
    set_hourly_rate = mutation(set_hourly_rate, runs=set_hourly_rate.run_on_rates, answers=HourlyRate)
