"""graphql-core's own execution tests, from its source package, run with BreadthFirstExecutor."""

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
# Incremental delivery is left to graphql-core.
ARGUMENTS = ["tests/execution", "--ignore=tests/execution/incremental", "-q", "-p", "no:cacheprovider"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """The sources of the installed release. Skips without a package index, except in CI."""
    folder = tmp_path_factory.mktemp("graphql-core")
    release = f"graphql-core=={version('graphql-core')}"
    download = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "graphql-core", release],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if download.returncode and not os.environ.get("CI"):
        pytest.skip(f"{release} cannot be downloaded from the package index")
    assert download.returncode == 0, download.stderr
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        # The first releases of Python 3.11 have no filters.
        options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(folder, **options)  # noqa: S202 - a pinned release
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


@pytest.mark.soak
def test_core_suite_passes(sources):
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "core_suite_plugin", "-o", "addopts=", *ARGUMENTS],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-5000:]
    (planned,) = re.findall(r"(\d+) operations were executed breadth first", run.stdout)
    assert int(planned) > 300
