"""Closes connections so that clients can read the last response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport
    from collections.abc import Callable


class LingeringTransport:
    """A transport that closes in two steps while its client is still sending (RFC 9112, section 9.6).

    The kernel resets a connection that is closed with unread data, and the client may lose the response. So
    `close` ends only the sending side, and the protocol discards what arrives until the client closes, too,
    or until `linger_s` have passed.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop, linger_s: float) -> None:
        self._transport = transport
        self._loop = loop
        self.linger_s = linger_s
        self.write: Callable[[bytes], None] = transport.write
        self.is_receiving = False
        """Whether a part of a request is still to arrive. The protocol sets it."""
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a transport
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        if not self.is_receiving or not self._transport.can_write_eof():
            self._transport.close()
            return
        self.is_lingering = True
        self.write = _discard
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(self.linger_s, self._transport.abort)


def _discard(_: object) -> None:
    """Nothing can be sent after the end."""
