"""Servers and commands in processes of their own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.apps import environment
from tests.databases import accepts_connections
from tests.polling import wait_until

CHECKOUT = Path(__file__).parents[1]
_STOP_TIMEOUT_S = 20


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


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def cli() -> Iterator[Callable[..., Result]]:
    """Runs `python -m app` with arguments, and with these settings and no others."""
    command = [sys.executable, "-m", "tests.cli_process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:

        def run(*arguments: str, **settings: str) -> Result:
            request = {"arguments": arguments, "environment": environment(**settings)}
            process.stdin.write(json.dumps(request) + "\n")
            return Result(*json.loads(process.stdout.readline()))

        yield run
        process.stdin.close()


def assert_one_sentence(result: Result, *words: str) -> None:
    assert (result.code, result.err.count("\n")) == (1, 1), result
    assert result.err.startswith("Error: ")
    assert "Traceback" not in result.out
    for word in words:
        assert word in result.err
