"""The JSON body of a GraphQL response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphql import ExecutionResult


def response_body(result: ExecutionResult) -> dict[str, Any]:
    """Omits `data` if execution did not start or was given up: then no error has a path."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or not result.errors or result.errors[0].path is not None:
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body
