"""What a command is: a wish with checked values, decided on under the ticket's lock."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from app.domain import values
from app.domain.errors import Forbidden, IdempotencyKeyReused, InvalidInput
from app.domain.lifecycle import Action  # noqa: TC001 - the API reads a command's annotations at run time

if TYPE_CHECKING:
    from app.domain.model import AssignmentId, EngineerId, TicketId
    from app.domain.values import Check

T = TypeVar("T")

ALWAYS = (Forbidden, InvalidInput, IdempotencyKeyReused)
"""The refusals that every command can give."""

EXPECTED_SEQUENCE = (
    "The highest sequence of the ticket that you have seen, 0 for none. Refused when it has moved on.",
    values.sequence,
)
"""What a command's `expected_sequence` is given by."""


def given(description: str, check: Check | None = None, *, default: Any = MISSING) -> Any:  # noqa: ANN401
    """Declare one field of a command: what clients are told of it, and what its value must be like."""
    return field(default=default, metadata={"description": description, "check": check})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(given,))
def command(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of keyword arguments, with its fields declared by `given`."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


class Command:
    """The base of every command. Making one checks its values; raises InvalidInput for the first bad one.

    It names its ticket, or one of the ticket's assignments; but for what is of no ticket.
    """

    __slots__ = ()
    action: ClassVar[Action]

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type] # every command is a dataclass
            check, value = f.metadata["check"], getattr(self, f.name)
            if check is not None and value is not None:
                object.__setattr__(self, f.name, check(camel(f.name), value))

    @property
    def named_ticket(self) -> TicketId | None:
        return getattr(self, "ticket_id", None)

    @property
    def named_assignment(self) -> AssignmentId | None:
        return getattr(self, "assignment_id", None)

    @property
    def next_engineer(self) -> EngineerId | None:
        """Who is to hold the ticket after this, where the command says so."""
        return getattr(self, "next_engineer_id", None) or getattr(self, "engineer_id", None)

    @property
    def seen_sequence(self) -> int | None:
        return getattr(self, "expected_sequence", None)


def camel(name: str) -> str:
    """`ticket_id` as clients spell it: ticketId."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
