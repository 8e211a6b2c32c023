"""GraphQL over WebSocket: the protocol graphql-transport-ws, as specified in PROTOCOL.md of graphql-ws 6."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.graphql.transport.messages import CloseConnection, parse_message, parse_subscribe
from app.graphql.transport.response import response_body
from app.graphql.transport.stream_limit import TooManyStreams
from app.http.auth.jwks import KeysUnavailable
from app.http.auth.tokens import InvalidToken, bearer_token, wait_until_invalid
from app.http.errors import errors_body
from app.http.middleware.access_log import no_span

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection

    from graphql import ExecutionResult
    from starlette.types import Receive, Scope, Send

    from app.graphql.admission.limits import Limits
    from app.graphql.admission.operation import OperationRequest
    from app.graphql.context import NewContext
    from app.graphql.pipeline import OperationPipeline
    from app.graphql.transport.messages import Message
    from app.graphql.transport.stream_limit import StreamLimit
    from app.http.auth.tokens import Authenticator, TokenEnd, VerifiedToken
    from app.http.middleware.access_log import Span

log = structlog.get_logger()

PROTOCOL = "graphql-transport-ws"
INIT_TIMEOUT_S = 5.0
DRAIN_TIMEOUT_S = 15.0
"""How long operations may continue after the server began to stop; longer than a mutation can take."""
_LONG_MESSAGE = 1_000_000
"""Characters of a message that takes so long to encode that other tasks run before it is sent."""


class GraphQLWebSocketEndpoint:
    """An ASGI application for clients that are not browsers, our own pages, and pages of `origins`."""

    def __init__(
        self,
        pipeline: OperationPipeline,
        authenticator: Authenticator,
        new_context: NewContext,
        limits: Limits,
        streams: StreamLimit,
        *,
        origins: Collection[str] = (),
        span: Span = no_span,
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._new_context = new_context
        self._limits = limits
        self._streams = streams
        self._origins = origins
        self._span = span
        self._connections: dict[_Connection, asyncio.Task[Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if not self._is_allowed_origin(socket):
            body = errors_body("FORBIDDEN", "Pages of this origin are not served.")
            await socket.send_denial_response(JSONResponse(body, status_code=403))
            return
        if PROTOCOL not in scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, f"The subprotocol must be {PROTOCOL}")
            return
        connection = _Connection(socket, self._pipeline, self._new_context, self._limits, self._span)
        self._connections[connection] = cast("asyncio.Task[Any]", asyncio.current_task())
        try:
            await socket.accept(subprotocol=PROTOCOL)
            await self._handle(connection)
        except CloseConnection as close:
            await connection.cancel_operations()
            await socket.close(close.code, close.reason)
        except WebSocketDisconnect:
            pass
        finally:
            del self._connections[connection]
            await connection.cancel_operations()

    async def drain(self) -> None:
        """Accept no more operations, wait for the current ones, and close the connections."""
        for connection in self._connections:
            connection.start_draining()
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=DRAIN_TIMEOUT_S)

    def _is_allowed_origin(self, socket: WebSocket) -> bool:
        """Only browsers are bound to send an origin; other clients can send any, or none."""
        origin = socket.headers.get("origin")
        host = socket.headers.get("host", "").lower()
        return origin is None or origin in self._origins or urlsplit(origin).netloc.lower() == host

    async def _handle(self, connection: _Connection) -> NoReturn:
        """Raises CloseConnection and WebSocketDisconnect."""
        try:
            async with asyncio.timeout(INIT_TIMEOUT_S):
                verified, token_end = await self._verify(await connection.receive_init())
        except TimeoutError:
            raise CloseConnection(4408, "Connection initialisation timeout") from None
        subject = connection.sign_in(verified)
        try:
            with self._streams.acquire(subject, "ws"):
                await connection.send(type="connection_ack")
                await connection.serve(token_end)
        except TooManyStreams:
            raise CloseConnection(4429, "Too many connections") from None

    async def _verify(self, payload: Message) -> tuple[VerifiedToken | None, TokenEnd | None]:
        """Verify the token in the payload. Without one, nobody is signed in, as over HTTP."""
        header = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if header is None:
            return None, None
        try:
            token = bearer_token(header)
            verified = await self._authenticator.verify(token)
        except InvalidToken:
            raise CloseConnection(4403, "The token is invalid or has expired") from None
        except KeysUnavailable:
            raise CloseConnection(1013, "The identity provider is out of reach") from None
        return verified, partial(wait_until_invalid, self._authenticator, token, verified)


class _Connection:
    def __init__(
        self,
        socket: WebSocket,
        pipeline: OperationPipeline,
        new_context: NewContext,
        limits: Limits,
        span: Span,
    ) -> None:
        self._socket = socket
        self._pipeline = pipeline
        self._new_context = new_context
        self._limits = limits
        self._span = span
        self._verified: VerifiedToken | None = None
        self._receive_timeout: asyncio.Timeout | None = None
        self._is_draining = False
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def receive_init(self) -> Message:
        """Return the payload of connection_init."""
        while True:
            message = await self._receive()
            match message["type"]:
                case "connection_init":
                    return message.get("payload") or {}
                case "subscribe":
                    raise CloseConnection(4401, "Unauthorized")
                case _:
                    await self._answer_ping(message)

    def sign_in(self, verified: VerifiedToken | None) -> str:
        """Set the caller of later operations. Returns the subject of the rate limit."""
        self._verified = verified
        return self._new_context(self._socket.scope, verified).subject

    async def serve(self, token_end: TokenEnd | None) -> NoReturn:
        """Handle messages until the client disconnects, the token ends, or the server stops."""
        end = None if token_end is None else asyncio.create_task(token_end())
        try:
            async with asyncio.timeout(None) as self._receive_timeout:
                if end is not None:
                    end.add_done_callback(self._stop_receiving)
                while not self._is_draining:
                    await self._handle_message(await self._receive())
        except TimeoutError:
            if end is not None and not self._is_draining:
                raise CloseConnection(4403, end.result()) from None
        finally:
            if end is not None:
                end.remove_done_callback(self._stop_receiving)
                end.cancel()
        # Not in a loop: an operation that fails to send to a client that has gone stays in the dictionary.
        if self._operations:
            await asyncio.wait(self._operations.values())
        raise CloseConnection(1012, "The server stops; connect again")

    def start_draining(self) -> None:
        self._is_draining = True
        self._stop_receiving()

    def _stop_receiving(self, _: object = None) -> None:
        if self._receive_timeout is not None:
            self._receive_timeout.reschedule(asyncio.get_running_loop().time())

    async def cancel_operations(self) -> None:
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def send(self, **message: object) -> None:
        text = orjson.dumps(message).decode()
        if len(text) > _LONG_MESSAGE:
            await asyncio.sleep(0)
        await self._socket.send_text(text)

    async def _receive(self) -> Message:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        return parse_message(received.get("text"))

    async def _handle_message(self, message: Message) -> None:
        match message["type"]:
            case "subscribe":
                await self._start_operation(message["id"], parse_subscribe(message))
            case "complete":
                if task := self._operations.pop(message["id"], None):
                    task.cancel()
            case "connection_init":
                raise CloseConnection(4429, "Too many initialisation requests")
            case _:
                await self._answer_ping(message)

    async def _answer_ping(self, message: Message) -> None:
        if message["type"] == "ping":
            await self.send(type="pong")

    async def _start_operation(self, id_: str, request: OperationRequest) -> None:
        if id_ in self._operations:
            raise CloseConnection(4409, f"Subscriber for {id_} already exists")
        if len(self._operations) >= self._limits.operations:
            message = f"A connection may have {self._limits.operations} operations open; complete one first."
            await self.send(
                id=id_, type="error", payload=errors_body("TOO_MANY_OPERATIONS", message)["errors"]
            )
            return
        self._operations[id_] = asyncio.create_task(self._run_operation(id_, request))

    async def _run_operation(self, id_: str, request: OperationRequest) -> None:
        context = self._new_context(self._socket.scope, self._verified)
        try:
            with self._span(context.log_fields, []):
                await self._send_results(id_, self._pipeline.stream(self._pipeline.admit(request, context)))
        except WebSocketDisconnect:
            pass
        except Exception:
            log.exception("fault")
            await self._socket.close(1011)

    async def _send_results(self, id_: str, results: AsyncGenerator[ExecutionResult, None]) -> None:
        async with aclosing(results):
            async for result in results:
                body = response_body(result)
                if "data" not in body:
                    await self._send_last(id_, type="error", payload=body["errors"])
                    return
                await self.send(id=id_, type="next", payload=body)
        await self._send_last(id_, type="complete")

    async def _send_last(self, id_: str, **message: object) -> None:
        """Release the id before the client receives the end, since the client may reuse it at once."""
        del self._operations[id_]
        await self.send(id=id_, **message)
