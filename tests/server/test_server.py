"""What the application is served with."""

from __future__ import annotations

import asyncio
import logging
import sys

import uvloop

from app.server import server


async def application(*_):
    raise AssertionError


def test_the_faster_loop_is_taken_where_there_is_one(monkeypatch):
    config = server.config(application, "127.0.0.1", 0)
    assert config.get_loop_factory() is uvloop.new_event_loop
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as on a platform that has none
    loop = server.config(application, "127.0.0.1", 0).get_loop_factory()()
    try:
        assert isinstance(loop, asyncio.SelectorEventLoop)
    finally:
        loop.close()


def test_no_lines_are_made_that_nobody_reads():
    server.config(application, "127.0.0.1", 0)
    assert not logging.getLogger("uvicorn.access").hasHandlers()
