"""Writes responses with few system calls, and closes connections so that clients can read the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport


class LingeringTransport:
    """A transport that closes in two steps while its client is still sending (RFC 9112, section 9.6).

    The kernel resets a connection that is closed with unread data, and the client may lose the response. So
    `close` ends only the sending side, and the protocol discards what arrives until the client closes, too,
    or until `linger_s` have passed.

    What is written in one turn of the event loop, such as a head and its body, is sent by one system call.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop, linger_s: float) -> None:
        self._transport = transport
        self._loop = loop
        self.linger_s = linger_s
        self._unsent: list[bytes] = []
        self.is_receiving = False
        """Whether a part of a request is still to arrive. The protocol sets it."""
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a transport
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self.is_lingering:
            return
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        data, self._unsent = b"".join(self._unsent), []
        if data and not self._transport.is_closing():  # the connection may have been lost meanwhile
            self._transport.write(data)

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self._flush()
        if not self.is_receiving or not self._transport.can_write_eof():
            self._transport.close()
            return
        self.is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(self.linger_s, self._transport.abort)
