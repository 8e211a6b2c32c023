"""Several worker processes that serve on one port; a worker that exits is restarted."""

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
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, TypeAlias

import structlog

if TYPE_CHECKING:
    from types import FrameType

log = structlog.get_logger()

_SPAWN = multiprocessing.get_context("spawn")
_RESTART_DELAY_S = 1
"""Keeps a worker that cannot start from using a whole core."""

Serve: TypeAlias = "Callable[[Sequence[socket.socket]], None]"


class PortTaken(OSError):
    """Another process listens there."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the port, or to a free one if it is 0. Raises PortTaken.

    It refuses connections until a server listens on it.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise PortTaken(
            f"Cannot listen on {host}:{port}: {error.strerror}; use another port, such as --port {port + 1}."
        ) from error
    return bound


def run(serve: Serve, host: str, port: int, own_ports: Sequence[int | None]) -> None:
    """Call `serve` in a process for each of `own_ports`, with sockets for `port` and for its own, if any.

    Runs until a signal, which is passed on to the workers; then exits with 0. `serve` must be picklable.
    Raises PortTaken.
    """
    shared = bind(host, port)
    supervisor = Supervisor(
        serve, [[shared] if own is None else [shared, bind(host, own)] for own in own_ports]
    )
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, supervisor.stop)
    supervisor.run()
    sys.exit(0)


@dataclass(slots=True)
class Supervisor:
    serve: Serve
    sockets: Sequence[Sequence[socket.socket]]
    """Of each worker."""
    _workers: dict[int, SpawnProcess] = field(default_factory=dict, init=False)
    _is_stopping: bool = field(default=False, init=False)

    def run(self) -> None:
        """Start the workers and restart them until all have exited after a signal."""
        for number in range(len(self.sockets)):
            self._spawn(number)
        while self._workers:
            connection.wait([process.sentinel for process in self._workers.values()])
            for number, process in list(self._workers.items()):
                if process.exitcode is not None:
                    del self._workers[number]
                    self._restart(number, process.exitcode)

    def stop(self, signal_number: int, _: FrameType | None) -> None:
        self._is_stopping = True
        for process in self._workers.values():
            _send_signal(process, signal_number)

    def _spawn(self, number: int) -> None:
        process = self._workers[number] = _SPAWN.Process(
            target=_run_worker, args=(self.serve, self.sockets[number])
        )
        process.start()
        if self._is_stopping:  # the signal came before the process existed
            _send_signal(process, signal.SIGTERM)

    def _restart(self, number: int, exit_code: int) -> None:
        if not self._is_stopping:
            log.error("worker_died", worker=number, code=exit_code)
            time.sleep(_RESTART_DELAY_S)
        if not self._is_stopping:
            self._spawn(number)


def _send_signal(process: SpawnProcess, signal_number: int) -> None:
    if process.pid is not None and process.exitcode is None:
        os.kill(process.pid, signal_number)


def _run_worker(serve: Serve, sockets: Sequence[socket.socket]) -> None:
    # Its own process group: Ctrl-C reaches only the parent, which passes it on once.
    os.setpgrp()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    serve(sockets)


def _stop_with_parent() -> None:
    """Stop when the parent is gone: one that was killed cannot send a signal."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this is a child process
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
