"""Batches of one key: how many run at the same time, and that none is forgotten."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from app.batch_scheduler import MAX_CONCURRENT, BatchScheduler


class FakeBatch:
    """Finishes when `may_finish` is set."""

    def __init__(self, started: list["FakeBatch"], max_items: int) -> None:
        self.items: list[int] = []
        self.has_started = asyncio.Event()
        self.may_finish = asyncio.Event()
        self._started = started
        self._max_items = max_items

    @property
    def is_full(self) -> bool:
        return len(self.items) >= self._max_items

    def start(self) -> asyncio.Task[None] | None:
        self._started.append(self)
        self.has_started.set()
        return asyncio.create_task(self._run()) if self.items else None

    async def _run(self) -> None:
        await self.may_finish.wait()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.integers(1, 3), st.sampled_from(["loop", "first", "last"])), max_size=40),
    st.integers(1, 4),
)
async def test_few_batches_run_at_once_and_every_item_is_served(steps, max_items):
    started: list[FakeBatch] = []
    finished: list[FakeBatch] = []
    scheduler: BatchScheduler[FakeBatch] = BatchScheduler(max_wait_s=600)
    count = 0
    for step in steps:
        running = [batch for batch in started if batch not in finished]
        if isinstance(step, int):
            for _ in range(step):
                scheduler.open_batch("key", lambda: FakeBatch(started, max_items)).items.append(count)
                count += 1
        elif step == "loop":
            await asyncio.sleep(0)
        elif running:
            batch = running[0 if step == "first" else -1]
            batch.may_finish.set()
            finished.append(batch)
            for _ in range(3):
                await asyncio.sleep(0)
        # Only a full batch starts in excess of the maximum.
        partly_filled = [batch for batch in started if batch not in finished and not batch.is_full]
        assert len(partly_filled) <= MAX_CONCURRENT
    for _ in range(4 * count + 4):
        for batch in started:
            batch.may_finish.set()
        await asyncio.sleep(0)
    assert [item for batch in started for item in batch.items] == list(range(count))
    assert not scheduler._open
    assert not scheduler._running


async def test_an_overdue_batch_starts_in_excess_of_the_maximum():
    started: list[FakeBatch] = []
    scheduler: BatchScheduler[FakeBatch] = BatchScheduler(max_wait_s=0.001)
    for _ in range(MAX_CONCURRENT + 1):
        last = scheduler.open_batch("key", lambda: FakeBatch(started, 9))
        last.items.append(1)
        await asyncio.sleep(0)
    assert last not in started
    async with asyncio.timeout(10):
        await last.has_started.wait()
    for batch in started:
        batch.may_finish.set()
