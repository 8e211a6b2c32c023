"""The API guide lists every refusal and every error code, and no others."""

import ast
import re

from app.domain.errors import DomainError
from tests.docs.markdown import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# Strings in capitals that are not error codes: methods, type variables, a time zone, and the code of success.
NOT_CODES = {"GET", "JWT", "K", "OK", "POST", "T", "UTC", "V"}


def table(section: str) -> list[list[str]]:
    lines = API.split(f"\n## {section}\n")[1].split("\n## ")[0].splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")
    ]
    assert all(row[-1] for row in rows)
    return rows


def strings_in_capitals(source: str) -> set[str]:
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {
        value for value in constants if isinstance(value, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", value)
    }


def test_every_refusal_is_documented():
    documented = [(name.strip("`"), code.strip("`")) for name, code, *_ in table("Refusals")]
    assert documented == [(refusal.__name__, refusal.code) for refusal in DomainError.__subclasses__()]


def test_every_error_code_is_documented():
    modules = [path for part in ("graphql", "http", "server") for path in (ROOT / "app" / part).rglob("*.py")]
    codes = {code for module in modules for code in strings_in_capitals(module.read_text(encoding="utf-8"))}
    assert {code.strip("`") for code, *_ in table("Errors")} == codes - NOT_CODES
