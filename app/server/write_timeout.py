"""Lets go of clients that ask and do not read: their answers wait in memory, and who makes them waits too."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from asyncio import Transport
    from asyncio.events import AbstractEventLoop, TimerHandle

_TRY_AGAIN_LATER = 1013


class WriteTimeoutMixin:
    """For a protocol of uvicorn: what is written must become little again within `write_limit_s`."""

    write_limit_s: ClassVar[float] = 10

    loop: AbstractEventLoop
    transport: Transport
    _until_too_slow: TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc] # of the protocol
        self._until_too_slow = self.loop.call_later(self.write_limit_s, self._too_slow)

    def resume_writing(self) -> None:
        self._wait_no_longer()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)  # type: ignore[misc]

    def _too_slow(self) -> None:
        self.transport.abort()

    def _wait_no_longer(self) -> None:
        if self._until_too_slow is not None:
            self._until_too_slow.cancel()
            self._until_too_slow = None


class WebSocketProtocol(WriteTimeoutMixin, WebSocketsSansIOProtocol):
    """A WebSocket that is told why it ends, where it still reads at all."""

    _last_words_s: ClassVar[float] = 2

    def _too_slow(self) -> None:
        if not self.close_sent:
            self.conn.fail(_TRY_AGAIN_LATER, "Too slow in reading")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self._until_too_slow = self.loop.call_later(self._last_words_s, self.transport.abort)
