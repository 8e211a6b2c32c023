"""An HTTP/1.1 protocol that reads each request to its end, or refuses it and closes the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server import responses
from app.server.lingering_close import LingeringTransport

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Sequence

    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        Scope,
    )
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class InvalidRequest(Exception):
    """The request's Host or framing could be understood in two ways; answered with 400."""


class RequestFramingProtocol(HttpToolsProtocol):
    """Guards against request smuggling: each byte belongs to exactly one request (RFC 9112, section 11.2)."""

    max_field_bytes: ClassVar[int] = 64 * 1024
    """Of a request line and headers, or of trailers; exceeded by one read at most."""

    linger_s: ClassVar[float] = 10
    """How long a closed connection is still read, so that its client can read the last response."""

    transport: LingeringTransport  # type: ignore[assignment] # uvicorn uses only what it has
    _field_bytes: int = 0
    _has_progress: bool = False
    _head: bytes = b""
    _is_websocket_handshake: bool = False
    _refusal: bytes | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(LingeringTransport(transport, self.loop, self.linger_s))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None or self.transport.is_lingering:
            return
        self._unset_keepalive_if_required()
        self._has_progress = False
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.refuse(responses.BAD_REQUEST)
        else:
            self._field_bytes = 0 if self._has_progress else self._field_bytes + len(data)
            if self._field_bytes > self.max_field_bytes:
                self.refuse(responses.HEADERS_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """Parse requests, and ignore each `Upgrade` that is not a WebSocket's (RFC 9110, section 7.8).

        httptools skips the body of a request with any `Upgrade`, so that the body would be parsed as the
        next request. Such a request is parsed again without that header. Remove this when
        https://github.com/MagicStack/httptools/issues/124 or
        https://github.com/Kludex/uvicorn/issues/2722 is fixed.
        """
        unparsed = memoryview(data)
        while unparsed:
            try:
                self.parser.feed_data(unparsed)
            except httptools.HttpParserUpgrade as upgrade:
                if self._is_websocket_handshake:
                    self.handle_websocket_upgrade()
                    return
                unparsed = unparsed[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self.parser.feed_data(self._head)
            else:
                return

    def handle_websocket_upgrade(self) -> None:
        # Browsers send cookies of any size; the API has none, and websockets refuses long headers.
        self.scope["headers"] = [header for header in self.scope["headers"] if header[0] != b"cookie"]
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.transport.is_receiving = True

    def on_headers_complete(self) -> None:
        self._has_progress = True
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]
        if version == "1.0":
            if b"transfer-encoding" in names:  # RFC 9112, section 6.1
                raise InvalidRequest
        elif names.count(b"host") != 1:  # RFC 9112, section 3.2
            raise InvalidRequest
        if self.parser.should_upgrade():
            self._prepare_upgrade(version, names)
            if not self._is_websocket_handshake:
                return
        super().on_headers_complete()
        self.headers = []  # the parser adds trailers to this list, which must not become headers

    def _prepare_upgrade(self, version: str, names: Sequence[bytes]) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise InvalidRequest
        # Some devices send a length of 0.
        has_body = b"transfer-encoding" in names or any(
            name == b"content-length" and value != b"0" for name, value in self.headers
        )
        self._is_websocket_handshake = (
            self._get_upgrade() == b"websocket" and method == b"GET" and version == "1.1" and not has_body
        )
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self._head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version.encode(), b"".join(lines))

    def _should_upgrade(self) -> bool:
        return self._is_websocket_handshake

    def on_body(self, body: bytes) -> None:
        self._has_progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_progress = True
        self.transport.is_receiving = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        super()._start_asgi_task(
            cycle, _closing_unless_continued(cycle, app) if cycle.waiting_for_100_continue else app
        )

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refusal is not None and not self.is_responding:
            self._send_refusal(self._refusal)

    @property
    def is_responding(self) -> bool:
        """Whether the server has to act next, so that the client cannot be late."""
        cycle = self.cycle
        return bool(self.pipeline) or (
            cycle is not None and not cycle.response_complete and not cycle.more_body
        )

    def refuse(self, response: bytes) -> None:
        """Read no more, complete the responses to earlier requests, send this one, and close."""
        self._refusal = response
        if not self.is_responding:
            self._send_refusal(response)

    def _send_refusal(self, response: bytes) -> None:
        cycle = self.cycle
        if cycle is None or not cycle.more_body or not cycle.response_started:
            self.transport.write(response)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


def _closing_unless_continued(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """Close after a response sent instead of 100 (Continue): whether the body follows is open.

    See RFC 9110, section 10.1.1.
    """

    async def closing_app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def closing_send(message: ASGISendEvent) -> None:
            if cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, closing_send)

    return closing_app
