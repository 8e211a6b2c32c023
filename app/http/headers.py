"""Reads single request headers, which is faster than to build a mapping of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """The first header with this lower-case name; None if there is none."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def joined(scope: Scope, name: bytes) -> str:
    """All headers with this lower-case name as one list (RFC 9110, section 5.3)."""
    return ", ".join([value.decode("latin-1") for key, value in scope["headers"] if key == name])
