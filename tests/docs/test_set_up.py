"""The set-up in docs/operations.md, line by line on a new server: Debian's PostgreSQL if it is installed."""

import os
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.demo.embedded_postgres import find_binaries
from tests.databases import free_port, new_server
from tests.docs.conftest import environment
from tests.docs.markdown import blocks_in
from tests.polling import wait_until

[BLOCK] = [block for block in blocks_in("sh") if block.page.name == "docs/operations.md"]
INSTALLS = ("sudo apt-get", "python3 -m venv", ".venv/bin/pip")
"""Not executed: the tests are installed already."""
LINES = [line for line in BLOCK.text.splitlines() if not line.startswith(INSTALLS)]


@pytest.fixture
def server(monkeypatch):
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if debian and "PG_BIN_DIR" not in os.environ:
        monkeypatch.setenv("PG_BIN_DIR", str(debian[-1].parent))
    with new_server() as url:
        yield parse_qs(urlsplit(url).query)["host"][0]


def adapted(line: str, folder: str, port: int) -> str:
    """The line for a server that listens on a socket in `folder`."""

    def url(match: re.Match[str]) -> str:
        return shlex.quote(f"{match[1]}@/baton?host={folder}&port=5432")

    line = re.sub(r"(postgresql://[\w:-]+)@localhost/baton", url, line)
    line = line.replace("app serve", f"app serve --port {port}")
    return line.replace("sudo -u postgres ", "").replace(".venv/bin/python", shlex.quote(sys.executable))


def is_ready(port: int, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.communicate()
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.TransportError:
        return False


def test_a_new_installation_serves(server, tmp_path):
    port = free_port()
    settings = environment("") | {"PGHOST": server, "PGUSER": "postgres", "PGPORT": "5432"}
    settings["PATH"] = f"{find_binaries()}:{settings['PATH']}"
    *lines, serve = [adapted(line, server, port) for line in LINES]
    script = "\n".join(["set -eux", *lines, 'echo "$DATABASE_URL"'])
    run = partial(subprocess.run, cwd=tmp_path, env=settings, text=True, capture_output=True, timeout=300)
    done = run(["/bin/sh", "-c", script], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems." in done.stdout
    settings["DATABASE_URL"] = done.stdout.splitlines()[-1]
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {serve}"], cwd=tmp_path, env=settings, text=True, stdout=-1, stderr=-1
    ) as process:
        try:
            wait_until(lambda: is_ready(port, process), "the server is not ready")
        finally:
            process.kill()
        out, err = process.communicate()
    assert f"http://127.0.0.1:{port}" in out + err
