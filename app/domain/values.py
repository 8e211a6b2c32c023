"""Validation of values from clients."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from app.domain.errors import InvalidInput
from app.domain.model import (
    MAX_INT,
    TOP_TIER,
    AssignmentId,
    EngineerId,
    EquipmentId,
    PartUsed,
    TicketId,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Validator: TypeAlias = "Callable[[str, object], object]"
"""Takes the field's name and the raw value; returns the value, or raises InvalidInput for the field."""

LONG = 4000
SHORT = 200
PHONE = 50
ADDRESS = 1000
MAX_HOURS = Decimal("999.99")
MAX_MONEY = Decimal("9999999.99")
MAX_QUANTITY = 10_000
MAX_PARTS = 100
MAX_RATING = 5

# Only the canonical form of RFC 9562, section 4, in either case: no braces, no urn, no missing hyphens.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def text(max_length: int, *, required: bool = False) -> Callable[[str, object], str | None]:
    """Return a validator that strips surrounding space. An empty text is None, or refused if `required`."""

    def check(field: str, value: object) -> str | None:
        stripped = _storable(field, str(value)).strip()
        if len(stripped) > max_length:
            raise InvalidInput(field, f"must have {max_length} characters at most, not {len(stripped)}")
        if required and not stripped:
            raise InvalidInput(field, "must not be empty")
        return stripped or None

    return check


def exact_text(field: str, value: object) -> str:
    """Validate text that is compared with stored text. It is not stripped: it must equal the stored text."""
    return _storable(field, str(value))


def equipment_id(field: str, value: object) -> EquipmentId:
    return EquipmentId(ticket_id(field, value))  # the columns have the same length


def ticket_id(field: str, value: object) -> TicketId:
    text = _storable(field, str(value))
    if not 1 <= len(text) <= 64:  # noqa: PLR2004 - the column's length
        raise InvalidInput(field, "must have 1 to 64 characters")
    return TicketId(text)


def engineer_id(field: str, value: object) -> EngineerId:
    return EngineerId(_uuid(field, value))


def assignment_id(field: str, value: object) -> AssignmentId:
    return AssignmentId(_uuid(field, value))


def int_between(lowest: int, highest: int) -> Callable[[str, object], int]:
    def check(field: str, value: object) -> int:
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise InvalidInput(field, f"must be {lowest} to {highest}")
        return value

    return check


def decimal_up_to(highest: Decimal) -> Callable[[str, object], Decimal]:
    def check(field: str, value: object) -> Decimal:
        number = Decimal(str(value))
        if not (number.is_finite() and 0 <= number <= highest and number == round(number, 2)):
            raise InvalidInput(field, f"must be 0 to {highest} with two decimals at most")
        return abs(round(number, 2))  # -0 is 0

    return check


def parse_datetime(field: str, value: object) -> datetime:
    """Convert a datetime, or text in ISO 8601, to UTC. A date without a time means midnight UTC."""
    try:
        if not isinstance(value, datetime):
            text = f"{value}T00:00:00Z" if _DATE.fullmatch(str(value)) else str(value)
            value = datetime.fromisoformat(text)
        if value.tzinfo is None:
            raise InvalidInput(field, "must have a time zone, as in 2026-03-01T00:00:00Z")
        return value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(field, "must be a date and time such as 2026-03-01T00:00:00Z") from None


def parts(field: str, value: object) -> tuple[PartUsed, ...]:
    raw: Sequence[PartUsed] = value  # type: ignore[assignment] # the API's input type ensures it
    if len(raw) > MAX_PARTS:
        raise InvalidInput(field, f"must have {MAX_PARTS} parts at most")
    return tuple(_part(f"{field}.{i}", part) for i, part in enumerate(raw))


tier = int_between(1, TOP_TIER)
sequence = int_between(0, MAX_INT)
version = int_between(1, MAX_INT)
rating = int_between(1, MAX_RATING)
hours = decimal_up_to(MAX_HOURS)
money = decimal_up_to(MAX_MONEY)
_quantity = int_between(1, MAX_QUANTITY)


def _part(field: str, part: PartUsed) -> PartUsed:
    required = text(SHORT, required=True)
    return PartUsed(
        part_number=str(required(f"{field}.partNumber", part.part_number)),
        part_name=str(required(f"{field}.partName", part.part_name)),
        quantity=_quantity(f"{field}.quantity", part.quantity),
        cost=money(f"{field}.cost", part.cost),
    )


def _uuid(field: str, value: object) -> UUID:
    if not _UUID.fullmatch(str(value)):
        raise InvalidInput(field, "must be a UUID such as 0190d3a4-5b6c-7d8e-9f01-23456789abcd")
    return UUID(str(value))


def _storable(field: str, value: str) -> str:
    """Refuse what PostgreSQL cannot store as text: NUL, and half of a surrogate pair."""
    if _UNSTORABLE.search(value):
        raise InvalidInput(field, "must not contain NUL characters or lone surrogates")
    return value
