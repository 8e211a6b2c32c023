"""An answer leaves in as few writes as may be, whole and in order."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from app.server.write_coalescing import CoalescingTransport


class Transport(asyncio.Transport):
    """Keeps what is written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        assert not self.is_closing()
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    closed = False

    def is_closing(self) -> bool:
        return self.closed


def answering() -> tuple[Transport, CoalescingTransport]:
    transport = Transport()
    return transport, CoalescingTransport(transport, asyncio.get_running_loop())


async def test_head_and_body_are_one_write():
    transport, answer = answering()
    answer.write(b"head ")
    answer.write(b"body")
    await asyncio.sleep(0)
    assert transport.written == [b"head body"]


async def test_a_head_whose_body_comes_later_does_not_wait_for_it():
    transport, answer = answering()
    answer.write(b"head ")
    await asyncio.sleep(0)
    assert transport.written == [b"head "]
    answer.write(b"body")
    assert transport.written == [b"head ", b"body"]


async def test_what_is_closed_has_said_all():
    transport, answer = answering()
    answer.write(b"head")
    answer.close()
    await asyncio.sleep(0)
    assert (transport.written, answer.is_closing()) == ([b"head"], True)


@given(parts=st.lists(st.tuples(st.binary(min_size=1), st.booleans())))
async def test_nothing_is_lost_or_changes_its_place(parts):
    transport, answer = answering()
    for data, turn in parts:
        answer.write(data)
        if turn:
            await asyncio.sleep(0)
    answer.close()
    assert b"".join(transport.written) == b"".join(data for data, _ in parts)
