"""Rejects words of a private vocabulary: python .ci/language.py [path ...]. Prints the lines, exits with 1.

The standard terms are in docs/developing.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKED = (".ci", "README.md", "CHANGELOG.md", "Makefile", "Dockerfile", "pyproject.toml", "hatch_build.py")
CHECKED += ("app", "sql", "tests", "docs", "admin-ui/src", "admin-ui/tests", "schema.graphql")
SKIPPED = re.compile(r"\.(png|svg|json)$|^admin-ui/src/gql/|package-lock|^tests/contracts/released\.graphql$")
WORDS = re.compile(
    r"""(?ix)
    (?<![a-z]) (
        wish (es|ed|ing)? | told | compan (y|ies) | whose | afresh | strange (r|rs|ly)? | lend (s|ing)? | lent
        | at\ hand | who\ asks | nobody['\u2019]?s | of\ which\ nobody | say (s|ing)?\ of | goes?\ alone
        | not\ know\ of | makes?\ of\ it | is\ had | has\ come\ by | hears?\ of
    ) (?![a-z])
    """
)
# Marks a line that has to quote a word.
ALLOWED = "language: quoted"


def private_words(path: str) -> list[str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [
        f"{path}:{number}: {match[0]!r} in: {line.strip()[:90]}"
        for number, line in enumerate(lines, 1)
        if ALLOWED not in line
        for match in [WORDS.search(line)]
        if match
    ]


def main(paths: list[str]) -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *(paths or CHECKED)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    this = ".ci/language.py"
    checked = [path for path in listed if path and path != this and not SKIPPED.search(path)]
    matches = [match for path in checked for match in private_words(path)]
    print("\n".join(matches))
    return bool(matches)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
