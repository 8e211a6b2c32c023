"""The configuration of uvicorn."""

import asyncio
import logging
import sys

import uvloop

from app.server import server


async def application(*_):
    raise AssertionError


def test_uvloop_is_used_if_installed(monkeypatch):
    config = server.config(application, "127.0.0.1", 0)
    assert config.get_loop_factory() is uvloop.new_event_loop
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as on platforms without it
    loop = server.config(application, "127.0.0.1", 0).get_loop_factory()()
    try:
        assert isinstance(loop, asyncio.SelectorEventLoop)
    finally:
        loop.close()


def test_uvicorn_writes_no_access_log():
    server.config(application, "127.0.0.1", 0)
    assert not logging.getLogger("uvicorn.access").hasHandlers()
