"""Reads one header of a request; to make a mapping of them all takes longer than the look."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """The first of this name, which is in small letters; None where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            given: bytes = value
            return given.decode("latin-1")
    return None


def joined(scope: Scope, name: bytes) -> str:
    """All of this name as one list (RFC 9110, 5.3)."""
    return ", ".join([value.decode("latin-1") for key, value in scope["headers"] if key == name])
