"""Several processes that serve on one port, each started again when it dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from types import FrameType

log = structlog.get_logger()

_SPAWN = multiprocessing.get_context("spawn")
_PAUSE_S = 1
"""Between the end of one and the start of the next: what cannot start does not take a whole core."""


class PortTaken(Exception):
    """Somebody else serves there."""


def run(
    serve: Callable[[Sequence[socket.socket]], None], host: str, port: int, own_ports: Sequence[int | None]
) -> None:
    """Call `serve` in a process for each of `own_ports`, with sockets for `port` and for its own, if any.

    Until a signal comes, which all of them are sent; then exit with 0. `serve` is a function of a module, or
    a partial of one. Raises PortTaken.
    """
    shared = _bound(host, port)
    own = [[] if own_port is None else [_bound(host, own_port)] for own_port in own_ports]
    crew = _Crew([partial(_SPAWN.Process, target=_work, args=(serve, [shared, *each])) for each in own])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, crew.end)
    crew.work()
    sys.exit(0)


@dataclass(slots=True)
class _Crew:
    hire: Sequence[Callable[[], SpawnProcess]]
    _at_work: dict[int, SpawnProcess] = field(default_factory=dict, init=False)
    _is_ending: bool = field(default=False, init=False)

    def work(self) -> None:
        """Until all have ended, which they do only after a signal."""
        for which in range(len(self.hire)):
            self._start(which)
        while self._at_work:
            connection.wait([process.sentinel for process in self._at_work.values()])
            for which, process in list(self._at_work.items()):
                if process.exitcode is not None:
                    del self._at_work[which]
                    self._replace(which, process)

    def end(self, number: int, _: FrameType | None) -> None:
        self._is_ending = True
        for process in self._at_work.values():
            _send(process, number)

    def _start(self, which: int) -> None:
        process = self._at_work[which] = self.hire[which]()
        process.start()
        if self._is_ending:  # the signal came before there was anybody to hear it
            _send(process, signal.SIGTERM)

    def _replace(self, which: int, ended: SpawnProcess) -> None:
        if not self._is_ending:
            log.error("worker_died", worker=which, code=ended.exitcode)
            time.sleep(_PAUSE_S)
        if not self._is_ending:
            self._start(which)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise PortTaken(f"{host}:{port} cannot be served: {error.strerror}.") from error


def _send(process: SpawnProcess, number: int) -> None:
    if process.pid is not None and process.exitcode is None:
        os.kill(process.pid, number)


def _work(serve: Callable[[Sequence[socket.socket]], None], sockets: Sequence[socket.socket]) -> None:
    # Ctrl-C is for the parent, which passes it on once.
    os.setpgrp()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(sockets)


def _end_with_parent() -> None:
    """A parent that was killed sends nothing any more."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - it started this process
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
