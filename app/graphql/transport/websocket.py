"""GraphQL over WebSocket: the protocol graphql-transport-ws, as graphql-ws 6 specifies it in PROTOCOL.md."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.graphql.transport.request import HttpRequestError, parameters
from app.graphql.transport.response import response_body
from app.graphql.transport.stream_limit import TooManyStreams
from app.http.auth.jwks import KeysUnavailable
from app.http.auth.tokens import LEEWAY_S, InvalidToken, bearer
from app.http.errors import errors_body
from app.http.middleware.access_log import no_span

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Receive, Scope, Send

    from app.graphql.admission.limits import Limits
    from app.graphql.context import Context, NewContext
    from app.graphql.schema import Schema
    from app.graphql.transport.request import Parameters
    from app.graphql.transport.stream_limit import StreamLimit
    from app.http.auth.tokens import Authenticator, Verified
    from app.http.middleware.access_log import Span

log = structlog.get_logger()

PROTOCOL = "graphql-transport-ws"
INIT_TIMEOUT_S = 5.0
LAST_OPERATIONS_S = 15.0
"""How long operations may go on when the server ends; longer than a change may take."""
_MAX_ID = 128

Message: TypeAlias = "dict[str, Any]"


class _Close(Exception):
    """The connection ends, for this reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class GraphQLWebSocketEndpoint:
    """An ASGI application for WebSockets of non-browsers, of our own pages, and of `origins`."""

    def __init__(
        self,
        schema: Schema,
        authenticator: Authenticator,
        new_context: NewContext,
        limits: Limits,
        streams: StreamLimit,
        *,
        origins: Collection[str] = (),
        span: Span = no_span,
    ) -> None:
        self._schema = schema
        self._authenticator = authenticator
        self._new_context = new_context
        self._limits = limits
        self._streams = streams
        self._origins = origins
        self._span = span
        self._connections: dict[_Connection, asyncio.Task[Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if not self._is_welcome(socket):
            body = errors_body("FORBIDDEN", "Pages of this origin are not served.")
            await socket.send_denial_response(JSONResponse(body, status_code=403))
            return
        if PROTOCOL not in scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, f"The subprotocol must be {PROTOCOL}")
            return
        connection = _Connection(socket, self._schema, self._new_context, self._limits, self._span)
        self._connections[connection] = cast("asyncio.Task[Any]", asyncio.current_task())
        try:
            await socket.accept(subprotocol=PROTOCOL)
            await self._converse(connection)
        except _Close as close:
            await connection.end_operations()
            await socket.close(close.code, close.reason)
        except WebSocketDisconnect:
            pass
        finally:
            del self._connections[connection]
            await connection.end_operations()

    async def end(self) -> None:
        """Take no more operations; let those that are at work end, and close."""
        for connection in self._connections:
            connection.hear_no_more()
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=LAST_OPERATIONS_S)

    def _is_welcome(self, socket: WebSocket) -> bool:
        """A browser says whose page asks; other programs need not, and lie if they like."""
        origin = socket.headers.get("origin")
        own = socket.headers.get("host", "").lower()
        return origin is None or origin in self._origins or urlsplit(origin).netloc.lower() == own

    async def _converse(self, connection: _Connection) -> NoReturn:
        """Raises _Close and WebSocketDisconnect."""
        try:
            async with asyncio.timeout(INIT_TIMEOUT_S):
                verified = await self._verified(await connection.initialised())
        except TimeoutError:
            raise _Close(4408, "Connection initialisation timeout") from None
        subject = connection.sign_in(verified)
        try:
            with self._streams.acquire(subject, "ws"):
                await connection.acknowledge()
                await connection.serve(None if verified is None else verified.seconds_left + LEEWAY_S)
        except TooManyStreams:
            raise _Close(4429, "Too many connections") from None

    async def _verified(self, payload: Message) -> Verified | None:
        """Whom the token speaks for; None without one: then nobody is signed in, as over HTTP."""
        header = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if header is None:
            return None
        try:
            return await self._authenticator.verify(bearer(header))
        except InvalidToken:
            raise _Close(4403, "The token is invalid or has expired") from None
        except KeysUnavailable:
            raise _Close(1013, "The identity provider is out of reach") from None


class _Connection:
    def __init__(
        self, socket: WebSocket, schema: Schema, new_context: NewContext, limits: Limits, span: Span
    ) -> None:
        self._span = span
        self._socket = socket
        self._schema = schema
        self._new_context = new_context
        self._limits = limits
        self._pace = _Pace(limits.messages_per_s, limits.message_burst)
        self._verified: Verified | None = None
        self._hearing: asyncio.Timeout | None = None
        self._deaf = False
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def initialised(self) -> Message:
        """The payload of connection_init."""
        while True:
            message = await self._next()
            match message["type"]:
                case "connection_init":
                    return message.get("payload") or {}
                case "subscribe":
                    raise _Close(4401, "Unauthorized")
                case _:
                    await self._keep_alive(message)

    def sign_in(self, verified: Verified | None) -> str:
        """The subject that pays for what is asked from now on."""
        self._verified = verified
        return self._new_context(self._socket.scope, verified).subject

    async def acknowledge(self) -> None:
        await self._send(type="connection_ack")

    async def serve(self, lasts_s: float | None) -> NoReturn:
        """Until the client leaves, the token expires, or the server ends."""
        try:
            async with asyncio.timeout(lasts_s) as self._hearing:
                while not self._deaf:
                    await self._obey(await self._next())
        except TimeoutError:
            if not self._deaf:
                raise _Close(4403, "The token has expired") from None
        # Once: one whose client has left ends, but stays among them.
        if self._operations:
            await asyncio.wait(self._operations.values())
        raise _Close(1012, "The server stops; connect again")

    def hear_no_more(self) -> None:
        self._deaf = True
        if self._hearing is not None:
            self._hearing.reschedule(asyncio.get_running_loop().time())

    async def _obey(self, message: Message) -> None:
        match message["type"]:
            case "subscribe":
                await self._begin(message["id"], parameters_of(message))
            case "complete":
                if task := self._operations.pop(message["id"], None):
                    task.cancel()
            case "connection_init":
                raise _Close(4429, "Too many initialisation requests")
            case _:
                await self._keep_alive(message)

    async def end_operations(self) -> None:
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self) -> Message:
        await self._pace.wait()
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        return _checked(received.get("text"))

    async def _keep_alive(self, message: Message) -> None:
        if message["type"] == "ping":
            await self._send(type="pong")

    async def _begin(self, name: str, asked: Parameters) -> None:
        if name in self._operations:
            raise _Close(4409, f"Subscriber for {name} already exists")
        if len(self._operations) >= self._limits.operations:
            message = f"A connection may have {self._limits.operations} operations open; complete one first."
            await self._send(
                id=name, type="error", payload=errors_body("TOO_MANY_OPERATIONS", message)["errors"]
            )
            return
        self._operations[name] = asyncio.create_task(self._operate(name, asked))

    async def _operate(self, name: str, asked: Parameters) -> None:
        context = self._new_context(self._socket.scope, self._verified)
        try:
            with self._span(context.log_fields, []):
                await self._answer(name, asked, context)
        except WebSocketDisconnect:
            pass
        except Exception:
            log.exception("fault")
            await self._socket.close(1011)

    async def _answer(self, name: str, asked: Parameters, context: Context) -> None:
        results = await self._schema.stream(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
            operation_extensions=asked.extensions,
        )
        async with aclosing(results):
            async for result in results:
                body = response_body(result)
                if "data" not in body:
                    await self._end(name, type="error", payload=body["errors"])
                    return
                await self._send(id=name, type="next", payload=body)
        await self._end(name, type="complete")

    async def _end(self, name: str, **message: object) -> None:
        """The client may use the name again as soon as it hears the end."""
        del self._operations[name]
        await self._send(id=name, **message)

    async def _send(self, **message: object) -> None:
        await self._socket.send_text(orjson.dumps(message).decode())


class _Pace:
    """Lets through `burst` at once and then `per_s`; who is faster is read later, and feels it himself."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._since = asyncio.get_running_loop().time()

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        self._left = min(self._burst, self._left + (now - self._since) * self._per_s) - 1
        self._since = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_s)


def parameters_of(message: Message) -> Parameters:
    try:
        return parameters(message.get("payload"))
    except HttpRequestError as refused:
        raise _Close(4400, f"Invalid message: {refused.message}") from None


def _checked(text: str | None) -> Message:
    """The message, its `type`, `id` and optional payload of the right types. Raises _Close."""
    try:
        message = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        raise _Close(4400, "Invalid message: it must be JSON, in text") from None
    if not isinstance(message, dict):
        raise _Close(4400, "Invalid message: it must be a JSON object")
    kind = message.get("type")
    if kind in ("subscribe", "complete"):
        name = message.get("id")
        if not isinstance(name, str) or not 0 < len(name) <= _MAX_ID:
            raise _Close(4400, f"Invalid message: id must be a string of 1 to {_MAX_ID} characters")
    elif kind in ("connection_init", "ping", "pong"):
        if not isinstance(message.get("payload"), dict | None):
            raise _Close(4400, "Invalid message: payload must be an object")
    else:
        raise _Close(4400, "Invalid message: its type is unknown")
    return message
