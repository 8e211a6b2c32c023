"""Errors of HTTP, in the format of GraphQL errors."""

from __future__ import annotations

from typing import Any


def errors_body(code: str, message: str, **extensions: object) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code, **extensions}}]}
