"""Full collections happen while the server is idle, or after a long time."""

import gc

import pytest

from app.server import garbage_collection
from app.server.garbage_collection import FullCollections


class Node:
    """An object that refers to itself: only a full collection frees it once it is old."""

    freed = 0

    def __init__(self):
        self.itself = self

    def __del__(self):
        Node.freed += 1


@pytest.fixture
def clock(monkeypatch):
    """Sets the time in seconds; afterwards the collector has its former settings."""
    thresholds, now = gc.get_threshold(), [0.0]
    monkeypatch.setattr(garbage_collection.time, "monotonic", lambda: now[0])
    yield lambda seconds: now.__setitem__(0, seconds)
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.parametrize(
    ("seconds", "is_idle", "collects"),
    [(59, True, False), (61, True, True), (599, False, False), (601, False, True)],
)
def test_old_garbage_is_collected_when_idle(clock, seconds, is_idle, collects):
    collections = FullCollections()
    node = Node()
    gc.collect(1)  # now it is old
    del node
    before = Node.freed
    clock(seconds)
    collections.collect(is_idle=is_idle)
    assert (Node.freed > before) is collects
    gc.collect()
