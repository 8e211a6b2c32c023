"""GraphQL over HTTP: POST, and GET for queries, at one path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from app.graphql import media_types
from app.graphql.context import Context
from app.graphql.request import MAX_BODY_BYTES, NotServed, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send
    from strawberry.types.execution import ExecutionResult

    from app.db.pool import Database
    from app.graphql.schema import Schema

_ALLOWED = {
    "GET": (OperationType.QUERY,),
    "POST": (OperationType.QUERY, OperationType.MUTATION),
}
_STREAMED = (
    "A subscription needs a stream: ask over WebSocket (graphql-transport-ws) "
    "or with Accept: text/event-stream (SSE)."
)
# Of an answer without data; every other code is the client's mistake. A draft of the protocol
# says 422 for some of those, but its audit and other servers say 400.
_STATUS = {"RATE_LIMITED": 429, "INTERNAL": 500, "UNAVAILABLE": 503, "TIMEOUT": 504}
_CLIENTS_MISTAKE = 400


class View:
    """An ASGI application. `database` is asked for each request: the pool opens after the routes are made."""

    def __init__(
        self, schema: Schema, database: Callable[[], Database], *, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._schema = schema
        self._database = database
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media_type = media_types.negotiated(", ".join(request.headers.getlist("accept")))
        try:
            response = await self._answer(request, media_type)
        except NotServed as refused:
            body = _errors(refused.code, refused.message)
            response = _response(media_type or media_types.JSON, refused.status, body, refused.headers)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request, media_type: str | None) -> Response:
        """Raises NotServed and ClientDisconnect."""
        if media_type is None:
            raise NotServed(
                406,
                "NOT_ACCEPTABLE",
                "Accept must allow application/graphql-response+json or application/json.",
            )
        body = await self._execute(request)
        # The older type is always 200 for what is GraphQL; the newer says by its status whether it ran.
        if media_type == media_types.JSON or "data" in body:
            return _response(media_type, 200, body)
        why = body["errors"][0]["extensions"]
        wait_s = why.get("retryAfterSeconds")
        headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        return _response(media_type, _STATUS.get(why["code"], _CLIENTS_MISTAKE), body, headers)

    async def _execute(self, request: Request) -> dict[str, Any]:
        """Raises NotServed and ClientDisconnect."""
        asked = await read(request, self._max_body_bytes)
        try:
            result = await self._schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=self._context(request),
                operation_name=asked.operation_name,
                allowed_operation_types=_ALLOWED[request.method],
                operation_extensions=asked.extensions,
            )
        except CannotGetOperationTypeError as error:
            return _errors("BAD_USER_INPUT", error.as_http_error_reason())
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                return _errors("BAD_USER_INPUT", _STREAMED)
            raise NotServed(405, "METHOD_NOT_ALLOWED", "A mutation is asked by POST.", Allow="POST") from None
        return _body(result)

    def _context(self, request: Request) -> Context:
        address = "" if request.client is None else request.client.host
        return Context(self._database(), getattr(request.user, "actor", None), address)


def _body(result: ExecutionResult) -> dict[str, Any]:
    """Without `data` when execution never began, or was given up: then no error has a path."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or not result.errors or result.errors[0].path is not None:
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def _errors(code: str, message: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _response(
    media_type: str, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers={"Vary": "Accept", **(headers or {})},
        media_type=f"{media_type}; charset=utf-8",
    )
