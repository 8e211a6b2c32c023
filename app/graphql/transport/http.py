"""GraphQL over HTTP: POST, and GET for queries. Subscriptions are sent as server-sent events."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from app.graphql.transport import media_types, sse
from app.graphql.transport.request import MAX_BODY_BYTES, HttpRequestError, read_request
from app.graphql.transport.response import response_body
from app.graphql.transport.stream_limit import TooManyStreams
from app.http.auth.tokens import bearer_token, wait_until_invalid
from app.http.errors import errors_body
from app.http.headers import header, joined
from app.http.middleware import read_after_write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.graphql.admission.operation import Operation
    from app.graphql.context import NewContext
    from app.graphql.pipeline import OperationPipeline
    from app.graphql.transport.stream_limit import StreamLimit
    from app.http.auth.tokens import Authenticator, TokenEnd

_NEEDS_STREAM = (
    "A subscription needs a stream: use WebSocket (graphql-transport-ws) "
    "or send Accept: text/event-stream (SSE)."
)
# The status of a response without data; every other code is a client error. A draft of GraphQL over HTTP
# has 422 for some of them, but its audit and other servers use 400.
_STATUS = {"RATE_LIMITED": 429, "INTERNAL": 500, "UNAVAILABLE": 503, "TIMEOUT": 504}
_CLIENT_ERROR = 400
# A proxy that buffers the response would hold events back.
_UNBUFFERED = {"Vary": "Accept", "X-Accel-Buffering": "no"}


class GraphQLHttpEndpoint:
    """An ASGI application."""

    def __init__(
        self,
        pipeline: OperationPipeline,
        authenticator: Authenticator,
        new_context: NewContext,
        streams: StreamLimit,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._new_context = new_context
        self._streams = streams
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept = joined(scope, b"accept")
        media_type = media_types.negotiate(accept)
        try:
            response = await self._respond(scope, receive, accept, media_type)
        except HttpRequestError as error:
            body = errors_body(error.code, error.message)
            response = _JsonResponse(media_type or media_types.JSON, error.status, body, error.headers)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, accept: str, media_type: str | None) -> ASGIApp:
        """Raises HttpRequestError and ClientDisconnect."""
        accepts_stream = media_types.accepts_event_stream(accept)
        if media_type is None and not accepts_stream:
            raise HttpRequestError(
                406,
                "NOT_ACCEPTABLE",
                "Accept must allow application/graphql-response+json, application/json or text/event-stream.",
            )
        request = await read_request(scope, receive, self._max_body_bytes)
        context = self._new_context(scope, getattr(scope["user"], "verified", None))
        operation = self._pipeline.admit(request, context)
        if operation.type is OperationType.MUTATION and scope["method"] == "GET":
            raise HttpRequestError(405, "METHOD_NOT_ALLOWED", "Send mutations by POST.", Allow="POST")
        is_subscription = operation.type is OperationType.SUBSCRIPTION
        if media_type is None or (is_subscription and accepts_stream):
            return self._stream(operation, scope)
        if is_subscription:
            return _graphql_response(media_type, errors_body("BAD_USER_INPUT", _NEEDS_STREAM))
        result = await self._pipeline.execute(operation)
        return _graphql_response(media_type, response_body(result), context.position)

    def _stream(self, operation: Operation, scope: Scope) -> ASGIApp:
        """Raises HttpRequestError."""
        operation.context.observation.transport = "sse"
        with ExitStack() as stack:
            try:
                stack.enter_context(self._streams.acquire(operation.context.subject, "sse"))
            except TooManyStreams:
                raise HttpRequestError(
                    429, "TOO_MANY_STREAMS", "You have too many streams open; close one."
                ) from None
            events = sse.encode_events(self._pipeline.stream(operation), self._token_end(scope))
            response = StreamingResponse(events, media_type=media_types.EVENTS, headers=_UNBUFFERED)
            open_until_sent = stack.pop_all()

        async def send_events(scope: Scope, receive: Receive, send: Send) -> None:
            with open_until_sent:
                await response(scope, receive, send)

        return send_events

    def _token_end(self, scope: Scope) -> TokenEnd | None:
        """None without a token: an anonymous stream never has to end."""
        verified = getattr(scope["user"], "verified", None)
        if verified is None:
            return None
        token = bearer_token(header(scope, b"authorization"))
        return partial(wait_until_invalid, self._authenticator, token, verified)


def _graphql_response(media_type: str, body: dict[str, Any], position: int | None = None) -> ASGIApp:
    headers = {} if position is None else {read_after_write.HEADER: str(position)}
    # The older media type always has 200; with the newer one, the status says whether execution started.
    if media_type == media_types.JSON or "data" in body:
        return _JsonResponse(media_type, 200, body, headers)
    extensions = body["errors"][0]["extensions"]
    wait_s = extensions.get("retryAfterSeconds")
    if wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    return _JsonResponse(media_type, _STATUS.get(extensions["code"], _CLIENT_ERROR), body, headers)


_CONTENT_TYPES = {
    media_type: (b"content-type", f"{media_type}; charset=utf-8".encode())
    for media_type in (media_types.GRAPHQL_RESPONSE, media_types.JSON)
}


class _JsonResponse:
    """A response as an ASGI application; Starlette's takes several times as long to create."""

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
