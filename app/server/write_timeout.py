"""Disconnects clients that do not read their responses, which would otherwise stay in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from asyncio import Transport
    from asyncio.events import AbstractEventLoop, TimerHandle

_TRY_AGAIN_LATER = 1013


class WriteTimeoutMixin:
    """For a uvicorn protocol: once the write buffer is full, it must drain within `write_timeout_s`."""

    write_timeout_s: ClassVar[float] = 10

    loop: AbstractEventLoop
    transport: Transport
    _write_timer: TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc] # of the protocol
        self._write_timer = self.loop.call_later(self.write_timeout_s, self._on_write_timeout)

    def resume_writing(self) -> None:
        self._cancel_write_timer()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_write_timer()
        super().connection_lost(exc)  # type: ignore[misc]

    def _on_write_timeout(self) -> None:
        self.transport.abort()

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class WebSocketProtocol(WriteTimeoutMixin, WebSocketsSansIOProtocol):
    """Sends a close frame at the timeout, and aborts the connection shortly after."""

    _close_timeout_s: ClassVar[float] = 2

    def _on_write_timeout(self) -> None:
        if not self.close_sent:
            self.conn.fail(_TRY_AGAIN_LATER, "Too slow in reading")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self._write_timer = self.loop.call_later(self._close_timeout_s, self.transport.abort)
