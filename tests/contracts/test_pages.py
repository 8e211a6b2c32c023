"""The pages' operations and rules match the API. No Node.js needed."""

import json

import pytest
from graphql import build_schema, concat_ast, parse, validate

from tests.snapshots import ROOT, RULES_JSON, SCHEMA_GRAPHQL, rules


def test_the_rules_of_the_pages_match_the_domain():
    # Compared as values, because the pages' formatter changes the whitespace.
    assert json.loads(RULES_JSON.read_text(encoding="utf-8")) == json.loads(rules()), "run: make fix"


@pytest.fixture(scope="module")
def operations():
    pages = ROOT / "admin-ui" / "src"
    files = [file for part in ("shared", "features") for file in sorted((pages / part).rglob("*.graphql"))]
    return concat_ast([parse(file.read_text(encoding="utf-8")) for file in files])


def test_the_operations_of_the_pages_are_valid(operations):
    assert validate(build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8")), operations) == []
