"""GraphQL over HTTP: POST, and GET for queries, at one path; as server-sent events to who asks for them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from app.graphql.transport import media_types, sse
from app.graphql.transport.request import MAX_BODY_BYTES, HttpRequestError, read
from app.graphql.transport.response import response_body
from app.graphql.transport.stream_limit import TooManyStreams
from app.http.errors import errors_body
from app.http.headers import joined
from app.http.middleware import read_after_write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send
    from strawberry.types.execution import ExecutionResult

    from app.graphql.context import Context, NewContext
    from app.graphql.schema import Schema
    from app.graphql.transport.request import Parameters
    from app.graphql.transport.stream_limit import StreamLimit

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
# A proxy that collects an answer before it passes it on would keep events back.
_UNBUFFERED = {"Vary": "Accept", "X-Accel-Buffering": "no"}


class GraphQLHttpEndpoint:
    """An ASGI application."""

    def __init__(
        self,
        schema: Schema,
        new_context: NewContext,
        streams: StreamLimit,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._schema = schema
        self._new_context = new_context
        self._streams = streams
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept = joined(scope, b"accept")
        media_type = media_types.negotiated(accept)
        try:
            response = await self._answer(scope, receive, accept, media_type)
        except HttpRequestError as refused:
            body = errors_body(refused.code, refused.message)
            response = _Json(media_type or media_types.JSON, refused.status, body, refused.headers)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, accept: str, media_type: str | None) -> ASGIApp:
        """Raises NotServed and ClientDisconnect."""
        streams = media_types.accepts_event_stream(accept)
        if media_type is None and not streams:
            raise HttpRequestError(
                406,
                "NOT_ACCEPTABLE",
                "Accept must allow application/graphql-response+json, application/json or text/event-stream.",
            )
        asked = await read(scope, receive, self._max_body_bytes)
        context = self._new_context(scope, getattr(scope["user"], "verified", None))
        if media_type is not None:
            try:
                return _answered(media_type, await self._execute(scope, asked, context), context.position)
            except _SubscriptionNotAllowed:
                if not streams:
                    return _answered(media_type, errors_body("BAD_USER_INPUT", _STREAMED))
        return await self._streamed(scope, asked, context)

    async def _streamed(self, scope: Scope, asked: Parameters, context: Context) -> ASGIApp:
        """Raises NotServed."""
        with ExitStack() as taken:
            try:
                taken.enter_context(self._streams.acquire(context.subject, "sse"))
            except TooManyStreams:
                raise HttpRequestError(
                    429, "TOO_MANY_STREAMS", "You have too many streams open; close one."
                ) from None
            written = sse.encode_events(await self._stream(scope, asked, context))
            response = StreamingResponse(written, media_type=media_types.EVENTS, headers=_UNBUFFERED)
            until_sent = taken.pop_all()

        async def send_all(scope: Scope, receive: Receive, send: Send) -> None:
            with until_sent:
                await response(scope, receive, send)

        return send_all

    async def _execute(self, scope: Scope, asked: Parameters, context: Context) -> dict[str, Any]:
        """Raises NotServed, and _Subscribes."""
        try:
            result = await self._schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=context,
                operation_name=asked.operation_name,
                allowed_operation_types=_ALLOWED[scope["method"]],
                operation_extensions=asked.extensions,
            )
        except CannotGetOperationTypeError as error:
            return errors_body("BAD_USER_INPUT", error.as_http_error_reason())
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise _SubscriptionNotAllowed from None
            raise HttpRequestError(
                405, "METHOD_NOT_ALLOWED", "A mutation is asked by POST.", Allow="POST"
            ) from None
        return response_body(result)

    async def _stream(
        self, scope: Scope, asked: Parameters, context: Context
    ) -> AsyncGenerator[ExecutionResult, None]:
        context.observation.transport = "sse"
        return await self._schema.stream(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
            allowed_operation_types=(*_ALLOWED[scope["method"]], OperationType.SUBSCRIPTION),
            operation_extensions=asked.extensions,
        )


class _SubscriptionNotAllowed(Exception):
    """The operation is a subscription."""


def _answered(media_type: str, body: dict[str, Any], position: int | None = None) -> ASGIApp:
    headers = {} if position is None else {read_after_write.HEADER: str(position)}
    # The older type is always 200 for what is GraphQL; the newer says by its status whether it ran.
    if media_type == media_types.JSON or "data" in body:
        return _Json(media_type, 200, body, headers)
    why = body["errors"][0]["extensions"]
    wait_s = why.get("retryAfterSeconds")
    if wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    return _Json(media_type, _STATUS.get(why["code"], _CLIENTS_MISTAKE), body, headers)


_CONTENT_TYPES = {
    media_type: (b"content-type", f"{media_type}; charset=utf-8".encode())
    for media_type in (media_types.GRAPHQL_RESPONSE, media_types.JSON)
}


class _Json:
    """An answer, as an ASGI application; Starlette's takes several times as long to make."""

    def __init__(self, media_type: str, status: int, body: Any, headers: Mapping[str, str]) -> None:  # noqa: ANN401 - any JSON
        self._status = status
        self._body = orjson.dumps(body)
        self._headers = [
            _CONTENT_TYPES[media_type],
            (b"content-length", b"%d" % len(self._body)),
            (b"vary", b"Accept"),
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        ]

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})
