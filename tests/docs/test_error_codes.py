"""The API's guide names every refusal and every error code, and no others."""

from __future__ import annotations

import ast
import re

from app.domain.errors import DomainError
from tests.docs.markdown import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# Words in capitals that are no codes: methods, type variables, a zone, and an operation that went well.
NOT_CODES = {"GET", "JWT", "K", "OK", "POST", "T", "UTC", "V"}


def table(chapter: str) -> list[list[str]]:
    lines = API.split(f"\n## {chapter}\n")[1].split("\n## ")[0].splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")
    ]
    assert all(row[-1] for row in rows)
    return rows


def capitals(text: str) -> set[str]:
    """Words in capitals that a module's code says as whole strings."""
    constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    return {word for word in constants if isinstance(word, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", word)}


def test_every_refusal_is_told_and_no_other():
    told = [(kind.strip("`"), code.strip("`")) for kind, code, *_ in table("Refusals")]
    assert told == [(refusal.__name__, refusal.code) for refusal in DomainError.__subclasses__()]


def test_every_code_of_errors_is_told_and_no_other():
    modules = [file for part in ("graphql", "http", "server") for file in (ROOT / "app" / part).rglob("*.py")]
    said = {word for module in modules for word in capitals(module.read_text(encoding="utf-8"))}
    assert {code.strip("`") for code, *_ in table("Errors")} == said - NOT_CODES
