"""Servers in processes of their own."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.polling import wait_until

CHECKOUT = Path(__file__).parents[1]
_STOP_TIMEOUT_S = 20


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_process(
    command: Sequence[str], is_ready: Callable[[], bool], output: Path, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends. What it prints is written to `output`; `options` are Popen's."""
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, **options)

    def is_running_and_ready() -> bool:
        assert process.poll() is None, f"{command} has exited: {output.read_text()[-2000:]}"
        return is_ready()

    try:
        wait_until(is_running_and_ready, f"{command} is not ready")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_app(
    *arguments: str, port: int, env: dict[str, str], output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m app` with these arguments. It is ready when it serves on the port."""

    def is_ready() -> bool:
        return accepts_connections(port) and httpx.get(f"http://127.0.0.1:{port}/readyz").is_success

    command = [sys.executable, "-m", "app", *arguments, "--port", str(port)]
    with running_process(command, is_ready, output, cwd=CHECKOUT, env=env) as process:
        yield process
