"""The files of sql/migrations: NNNN_name.up.sql and NNNN_name.down.sql.

A first line may say how a file is run. `-- migrate: no-transaction`: outside a transaction, its statements
separated by `-- next` lines. `-- migrate: on request`: only when somebody asks for its number. Both: with a
comma between.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILE_NAME = re.compile(r"(?!0000)(\d{4})_([a-z0-9_]+)\.(up|down)\.sql")
_HOW = re.compile(r"-- migrate: ([\w ,-]+)$", re.MULTILINE)
_WAYS = {"no-transaction", "on request"}
_NOT_CODE = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$ | \be'(?:[^'\\]|\\.|'')*' | '[^']*' | "[^"]*" """
    r"| \bbegin\s+atomic\b.*\bend\s*;",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_OWN_TRANSACTION = re.compile(
    r"(?:\A|;)\s*(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction)\b", re.IGNORECASE
)


class MigrationError(Exception):
    """One sentence for the person who runs the migration: which file, which line, what to do."""


@dataclass(frozen=True, slots=True)
class Script:
    file: str
    text: str

    @property
    def how(self) -> set[str]:
        """What the first line says of how the file is run."""
        said = _HOW.match(self.text)
        return set() if said is None else {way.strip() for way in said[1].split(",")}

    @property
    def in_transaction(self) -> bool:
        return "no-transaction" not in self.how

    @property
    def code(self) -> str:
        return code(self.text)

    @property
    def parts(self) -> list[tuple[int, str]]:
        """What is sent in one call each, with the offset of its first character."""
        # The server makes one transaction of all statements in a call, and CONCURRENTLY refuses to be in one.
        split = r"\Z" if self.in_transaction else r"^-- next[ \t]*$|\Z"
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
        """What it undoes cannot simply be made again: a person decides when."""
        return "on request" in self.up.how

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.up.text.encode()).hexdigest()


def read(folder: Path) -> list[Migration]:
    """Every migration of the folder by version; a file that cannot be one is refused."""
    found: dict[tuple[int, str], dict[str, Script]] = {}
    for path in sorted(folder.glob("*.sql")):
        if not (match := _FILE_NAME.fullmatch(path.name)):
            raise MigrationError(f"{path.name}: the name must be NNNN_name.up.sql or NNNN_name.down.sql.")
        found.setdefault((int(match[1]), match[2]), {})[match[3]] = _script(path)
    if not found:
        raise MigrationError(f"{folder}: there is no migration in this folder.")
    for scripts in found.values():
        if "up" not in scripts:
            raise MigrationError(f"{scripts['down'].file}: its up file is missing.")
    migrations = [Migration(v, name, s["up"], s.get("down")) for (v, name), s in sorted(found.items())]
    for one, other in pairwise(migrations):
        if one.version == other.version:
            raise MigrationError(f"{one.label} and {other.label} have the same number; renumber one.")
    return migrations


def _script(path: Path) -> Script:
    try:
        # Reading as text turns CRLF into LF, so that a checkout on Windows has the same checksums.
        script = Script(path.name, path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MigrationError(f"{path.name}: the file is not UTF-8 ({error.reason}).") from error
    if unknown := script.how - _WAYS:
        raise MigrationError(f"{script.line(0)}: {', '.join(unknown)} is no way to run a migration.")
    if own := _OWN_TRANSACTION.search(script.code):
        raise MigrationError(f"{script.line(own.start(1))}: leave {own[1].upper()} to the migrator.")
    return script


def code(sql: str) -> str:
    """Blank out comments, literals and semicolons in names; every offset stays the same."""
    return _NOT_CODE.sub(lambda m: re.sub(";" if m[0][0] == '"' else r"[^\n]", " ", m[0]), sql)
