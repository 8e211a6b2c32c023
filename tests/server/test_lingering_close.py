"""LingeringTransport sends what is written in one turn of the event loop at once, complete and in order."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from app.server.lingering_close import LingeringTransport


class RecordingTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        assert not self.is_closed

    def write_eof(self) -> None:
        self.is_closed = True

    def can_write_eof(self) -> bool:
        return True

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def transports() -> tuple[RecordingTransport, LingeringTransport]:
    recording = RecordingTransport()
    return recording, LingeringTransport(recording, asyncio.get_running_loop(), linger_s=0)


@given(
    parts=st.lists(st.tuples(st.binary(min_size=1), st.booleans())),
    is_receiving=st.booleans(),
    end=st.sampled_from(["close", "write_eof"]),
)
async def test_each_turn_is_one_write_and_nothing_is_lost(parts, is_receiving, end):
    recording, transport = transports()
    turns = [b""]
    for data, is_last_of_turn in parts:
        transport.write(data)
        turns[-1] += data
        if is_last_of_turn:
            await asyncio.sleep(0)
            turns.append(b"")
    transport.is_receiving = is_receiving
    getattr(transport, end)()
    assert recording.writes == [turn for turn in turns if turn]
    assert recording.is_closed


async def test_nothing_is_written_after_the_end():
    recording, transport = transports()
    transport.is_receiving = True
    transport.close()
    transport.write(b"late")
    await asyncio.sleep(0)
    assert recording.writes == []


async def test_nothing_is_written_to_a_connection_that_was_lost_meanwhile():
    recording, transport = transports()
    transport.write(b"too late")
    recording.abort()
    await asyncio.sleep(0)
    transport.close()
    assert recording.writes == []
