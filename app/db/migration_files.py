"""The files of sql/migrations: NNNN_name.up.sql and NNNN_name.down.sql.

The first line may contain directives, separated by commas: `-- migrate: no-transaction, works with 0.1`.
no-transaction: runs outside a transaction, in batches separated by `-- next` lines; after `-- next: run the
result`, the batch is a query that returns statements to run. on request: runs only if it is the target. works
with: the oldest release that may serve during and after this migration; without it, no release may that lacks
the file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from app.config import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

_FILE_NAME = re.compile(r"(?!0000)(\d{4})_([a-z0-9_]+)\.(up|down)\.sql")
_DIRECTIVE_LINE = re.compile(r"-- migrate: ([\w ,.-]+)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"no-transaction|on request|works with (?P<release>\d+\.\d+)")
RUN_THE_RESULT = "run the result"
_LITERALS = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$ | \be'(?:[^'\\]|\\.|'')*' | '[^']*' | "[^"]*" """
    r"| \bbegin\s+atomic\b.*\bend\s*;",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_OWN_TRANSACTION = re.compile(
    r"(?:\A|;)\s*(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction)\b", re.IGNORECASE
)


class MigrationError(OperatorError):
    """A sentence for the operator: which file, which line, what to do."""


@dataclass(frozen=True, slots=True)
class Script:
    file: str
    text: str

    @property
    def directives(self) -> set[str]:
        line = _DIRECTIVE_LINE.match(self.text)
        return set() if line is None else {directive.strip() for directive in line[1].split(",")}

    @property
    def in_transaction(self) -> bool:
        return "no-transaction" not in self.directives

    @property
    def batches(self) -> list[tuple[int, str]]:
        """The parts of the text that are sent in one call each, with their offsets."""
        # Statements in one call are one transaction, in which CONCURRENTLY is not allowed.
        split = r"\Z" if self.in_transaction else rf"^-- next(: {RUN_THE_RESULT})?[ \t]*$|\Z"
        ends = [m.start() for m in re.finditer(split, self.text, re.MULTILINE)]
        return [(start, self.text[start:end]) for start, end in zip([0, *ends], ends, strict=False)]

    def line(self, offset: int) -> str:
        return f"{self.file}, line {self.text.count(chr(10), 0, offset) + 1}"


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    up: Script
    down: Script | None

    @property
    def label(self) -> str:
        return f"{self.version:04}_{self.name}"

    @property
    def on_request(self) -> bool:
        """Whether it runs only if it is the target, because its effect is hard to revert."""
        return "on request" in self.up.directives

    @property
    def works_with(self) -> str | None:
        """The oldest release that may serve with it, such as 0.1; None if the file does not say."""
        found = (_DIRECTIVE.fullmatch(directive) for directive in self.up.directives)
        return next((match["release"] for match in found if match and match["release"]), None)

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.up.text.encode()).hexdigest()


def read(folder: Path) -> list[Migration]:
    """Return the migrations of the folder, ordered by version. Raises MigrationError on an invalid file."""
    scripts_of: dict[tuple[int, str], dict[str, Script]] = {}
    for path in sorted(folder.glob("*.sql")):
        if not (match := _FILE_NAME.fullmatch(path.name)):
            raise MigrationError(f"{path.name}: the name must be NNNN_name.up.sql or NNNN_name.down.sql.")
        scripts_of.setdefault((int(match[1]), match[2]), {})[match[3]] = _script(path)
    if not scripts_of:
        raise MigrationError(f"{folder}: there is no migration in this folder.")
    for scripts in scripts_of.values():
        if "up" not in scripts:
            raise MigrationError(f"{scripts['down'].file}: its up file is missing.")
    migrations = [Migration(v, name, s["up"], s.get("down")) for (v, name), s in sorted(scripts_of.items())]
    for one, other in pairwise(migrations):
        if one.version == other.version:
            raise MigrationError(f"{one.label} and {other.label} have the same number; renumber one.")
    return migrations


def _script(path: Path) -> Script:
    try:
        # Text mode converts CRLF to LF, so checksums are the same in a checkout on Windows.
        script = Script(path.name, path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MigrationError(f"{path.name}: the file is not UTF-8 ({error.reason}).") from error
    _check(script)
    return script


@lru_cache(maxsize=100)
def _check(script: Script) -> None:
    if unknown := [directive for directive in script.directives if not _DIRECTIVE.fullmatch(directive)]:
        raise MigrationError(f"{script.line(0)}: unknown directive {', '.join(unknown)}.")
    if own := _OWN_TRANSACTION.search(mask_literals(script.text)):
        raise MigrationError(f"{script.line(own.start(1))}: leave {own[1].upper()} to the migrator.")


def mask_literals(sql: str) -> str:
    """Replace comments, literals, function bodies and semicolons in names by spaces of the same length."""
    return _LITERALS.sub(lambda m: re.sub(";" if m[0][0] == '"' else r"[^\n]", " ", m[0]), sql)
