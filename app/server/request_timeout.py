"""HTTP/1.1 for clients that are slow, broken or hostile: a whole request in time, with one Host, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.write_coalescing import OneWrite
from app.server.write_timeout import GivesUpOnSlowReaders

if TYPE_CHECKING:
    from asyncio import Transport
    from asyncio.events import TimerHandle


def _last_answer(status: str, code: str, message: str) -> bytes:
    body = f'{{"errors":[{{"message":"{message}","extensions":{{"code":"{code}"}}}}]}}'
    headers = (
        "content-type: application/json; charset=utf-8",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", body)).encode()


_TOO_LATE = _last_answer("408 Request Timeout", "REQUEST_TIMEOUT", "The request took too long.")
_TOO_LARGE = _last_answer(
    "431 Request Header Fields Too Large", "HEADERS_TOO_LARGE", "The headers are too large."
)
_NOT_HTTP = _last_answer("400 Bad Request", "BAD_USER_INPUT", "The request is not HTTP/1.1.")


class MalformedHost(Exception):
    """An HTTP/1.1 request has no Host, or several (RFC 9112, 3.2); the server answers 400."""


class DeadlineProtocol(GivesUpOnSlowReaders, HttpToolsProtocol):
    """Closes a connection whose client is `limit_s` late with the start or the end of a request.

    uvicorn itself waits for ever once a byte has come. One timer for each connection looks when the time may
    be up; a request only notes when its client's turn began, and schedules nothing.
    """

    limit_s: ClassVar[float] = 10

    max_head_bytes: ClassVar[int] = 64 * 1024  # of the request line and all headers, give or take one read

    _head_bytes: int = 0
    _in_head: bool = False
    _timer: TimerHandle | None = None
    _turn_began: float = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._clients_turn()
        self._timer = self.loop.call_later(self.limit_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._stop()  # another protocol has the connection from here on
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes:
                self._answer_last(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._clients_turn()

    def on_headers_complete(self) -> None:
        self._in_head = False
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and self.parser.get_http_version() != "1.0":
            raise MalformedHost
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not None and self.cycle is not before:
            self.cycle.transport = OneWrite(self.transport, self.loop)  # type: ignore[assignment] # all that it needs

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._clients_turn()

    @property
    def _answering(self) -> bool:
        """Whether the next move is ours, so that the client cannot be late."""
        cycle = self.cycle
        return bool(self.pipeline) or (
            cycle is not None and not cycle.response_complete and not cycle.more_body
        )

    def _clients_turn(self) -> None:
        self._turn_began = self.loop.time()

    def _look(self) -> None:
        waited_s = 0 if self._answering else self.loop.time() - self._turn_began
        left_s = self.limit_s - waited_s
        if left_s > 0:
            self._timer = self.loop.call_later(left_s, self._look)
        elif not self.transport.is_closing():
            self._give_up()

    def _give_up(self) -> None:
        if self.cycle is not None and self.cycle.response_started and self.cycle.more_body:
            self.transport.abort()  # it has its answer, and still sends
        else:
            self._answer_last(_TOO_LATE)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - always the same
        self._answer_last(_NOT_HTTP)

    def _answer_last(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
