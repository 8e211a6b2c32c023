"""Disconnects clients that do not read their responses, which would otherwise stay in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from asyncio import Transport
    from asyncio.events import AbstractEventLoop, TimerHandle


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
