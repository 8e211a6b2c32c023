"""Rules for the code that no linter checks."""

import re
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
SQL = re.compile(r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|CREATE\s+TABLE)\b")


def test_sql_is_only_in_sql_files_and_db():
    lines = [
        f"{path.relative_to(APP)}:{number}"
        for path in APP.rglob("*.py")
        if "db" not in path.relative_to(APP).parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SQL.search(line)
    ]
    assert lines == []


def test_every_module_has_a_docstring():
    assert [str(path) for path in APP.rglob("*.py") if not path.read_text().startswith(('"""', "#!"))] == []
