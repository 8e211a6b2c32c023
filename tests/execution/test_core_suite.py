"""graphql-core's own tests of execution, from its source package, with levels in its executor's place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# Delivery in parts is left to graphql-core whole: its executor, its queues.
ARGUMENTS = ["tests/execution", "--ignore=tests/execution/incremental", "-q", "-p", "no:cacheprovider"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """The folder of the release that we run with. Skips where no package index is in reach, but not in CI."""
    folder = tmp_path_factory.mktemp("graphql-core")
    release = f"graphql-core=={version('graphql-core')}"
    fetched = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "graphql-core", release],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode and not os.environ.get("CI"):
        pytest.skip(f"{release} cannot be fetched from the package index")
    assert fetched.returncode == 0, fetched.stderr
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        # The first releases of Python 3.11 have no filters.
        safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(folder, **safely)  # noqa: S202 - of our own pinned release
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def test_core_passes_its_own_tests_by_levels(sources):
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "core_suite_plugin", "-o", "addopts=", *ARGUMENTS],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-5000:]
    (root_plan,) = re.findall(r"(\d+) operations were executed by levels", ran.stdout)
    assert int(root_plan) > 300
