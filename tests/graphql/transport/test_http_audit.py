"""The GraphQL Foundation's audit of GraphQL over HTTP."""

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
    """A private folder with the audit installed, kept between runs."""
    if shutil.which("npm") is None or (version := node_version()) is None:
        skip_or_fail("The audit needs node and npm.")
    if version < 20:
        skip_or_fail(f"The audit needs node 20 or newer, not {version}.")
    folder = Path(tempfile.gettempdir(), f"baton-{os.getuid()}-{'-'.join(PACKAGES)}")
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} belongs to another user"
    if not (folder / "done").exists():
        installed = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, check=False)
        if installed.returncode:
            skip_or_fail(f"npm cannot install the audit: {installed.stderr.strip()}")
        (folder / "done").touch()
    return folder


def skip_or_fail(reason: str) -> NoReturn:
    """The audit may be missing on a developer's machine, but not in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def node_version() -> int | None:
    node = shutil.which("node")
    if node is None:
        return None
    match = re.match(r"v(\d+)", subprocess.check_output([node, "--version"], text=True))
    return int(match[1]) if match else None


async def test_the_audit_passes(packages, served):
    process = await asyncio.create_subprocess_exec(
        "node", "-e", AUDIT, served.url, cwd=packages, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    results = json.loads(output)
    assert [result for result in results if result["status"] != "ok"] == []
    counts = {level: sum(r["name"].startswith(level) for r in results) for level in ("MUST", "SHOULD", "MAY")}
    assert counts == {"MUST": 13, "SHOULD": 23, "MAY": 25}
