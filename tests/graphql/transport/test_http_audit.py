"""The GraphQL Foundation's own audit of GraphQL over HTTP finds nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = ["graphql-http@1.23.1", "graphql@16.15.0"]
INSTALL = ["npm", "install", *PACKAGES, "--ignore-scripts", "--no-audit", "--no-fund"]
AUDIT = """
require('graphql-http').auditServer({ url: process.argv[1] }).then((results) =>
    console.log(JSON.stringify(results.map(({ name, status, reason }) => ({ name, status, reason })))))
"""


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder of our own where the audit is installed, kept from run to run."""
    if shutil.which("npm") is None or (version := node_version()) is None:
        lacking("The audit needs node and npm.")
    if version < 20:
        lacking(f"The audit needs node 20 or newer, not {version}.")
    folder = Path(tempfile.gettempdir(), f"baton-{os.getuid()}-{'-'.join(PACKAGES)}")
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} is somebody else's"
    if not (folder / "done").exists():
        installed = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, check=False)
        if installed.returncode:
            lacking(f"npm cannot install the audit: {installed.stderr.strip()}")
        (folder / "done").touch()
    return folder


def lacking(what: str) -> NoReturn:
    """On a person's machine the audit may be missing; what every change must pass has it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def node_version() -> int | None:
    node = shutil.which("node")
    if node is None:
        return None
    found = re.match(r"v(\d+)", subprocess.check_output([node, "--version"], text=True))
    return int(found[1]) if found else None


async def test_the_audit_finds_nothing(packages, served):
    process = await asyncio.create_subprocess_exec(
        "node", "-e", AUDIT, served.url, cwd=packages, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    results = json.loads(output)
    assert [result for result in results if result["status"] != "ok"] == []
    of_each = {
        level: sum(r["name"].startswith(level) for r in results) for level in ("MUST", "SHOULD", "MAY")
    }
    assert of_each == {"MUST": 13, "SHOULD": 23, "MAY": 25}
