"""The WebSocket protocol: refused handshakes are closed, and the pace of frames is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError

from app.server import responses
from app.server.write_timeout import WriteTimeoutMixin
from app.token_bucket import TokenBucket

if TYPE_CHECKING:
    from asyncio.transports import BaseTransport

    from app.server.lingering_close import LingeringTransport

_POLICY_VIOLATION = 1008
_TRY_AGAIN_LATER = 1013
_PIECE_BYTES = 4096
"""Parsed at once: 700 of the smallest frames."""


class WebSocketProtocol(WriteTimeoutMixin, WebSocketsSansIOProtocol):
    """Closes with a code if the client does not read, or sends frames of any kind too fast."""

    frame_burst: ClassVar[int] = 1000
    frames_per_s: ClassVar[int] = 200
    linger_s: ClassVar[float] = 2
    """How long a closed connection is still read, so that its client can read the close frame."""

    transport: LingeringTransport  # type: ignore[assignment] # of the HTTP protocol

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.is_receiving, self.transport.linger_s = True, self.linger_s
        self._frames = TokenBucket(self.frame_burst, self.frames_per_s)

    def data_received(self, data: bytes) -> None:
        """Parse in pieces: one read of 256 KiB can hold 40,000 frames."""
        for start in range(0, len(data), _PIECE_BYTES):
            if self.transport.is_lingering:
                return
            self._parse(data[start : start + _PIECE_BYTES])

    def _parse(self, data: bytes) -> None:
        self.conn.receive_data(data)
        if self.conn.handshake_exc is not None:
            self._refuse_handshake(self.conn.handshake_exc)
        elif self.conn.parser_exc is not None:
            self.handle_parser_exception()
            self.disconnected = True
        elif self._frames.consume(len(self.conn.events)):
            self._fail(_POLICY_VIOLATION, "Too many messages, pings or pongs")
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _POLICY_VIOLATION})
            self.disconnected = True
            self.transport.close()
        else:
            self.handle_events()

    def _refuse_handshake(self, error: Exception) -> None:
        """Uvicorn would wait: websockets limits headers further than HTTP, and reports no event for an error.

        Remove this when uvicorn sends the response and closes.
        """
        is_too_large = isinstance(error, SecurityError)
        self.transport.write(responses.HEADERS_TOO_LARGE if is_too_large else responses.BAD_REQUEST)
        self.transport.close()

    def _fail(self, code: int, reason: str) -> None:
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True

    def _on_write_timeout(self) -> None:
        """Send a close frame, and abort shortly after."""
        if not self.close_sent:
            self._fail(_TRY_AGAIN_LATER, "Too slow in reading")
        self._write_timer = self.loop.call_later(self.linger_s, self.transport.abort)
