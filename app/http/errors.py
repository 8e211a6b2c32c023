"""Errors of HTTP, in the format of GraphQL errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping


def errors_body(code: str, message: str, **extensions: object) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code, **extensions}}]}


def error_response(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **extensions: object
) -> JSONResponse:
    return JSONResponse(errors_body(code, message, **extensions), status_code=status, headers=headers)
