"""What is refused before GraphQL comes into it, in the shape of GraphQL's errors."""

from __future__ import annotations

from typing import Any


def errors_body(code: str, message: str, **more: object) -> dict[str, Any]:
    """`more` goes into the extensions."""
    return {"errors": [{"message": message, "extensions": {"code": code, **more}}]}
