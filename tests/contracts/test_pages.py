"""The admin UI asks for what the API has, and offers what the domain allows. No Node.js needed."""

from __future__ import annotations

import json

import pytest
from graphql import build_schema, concat_ast, parse, validate

from tests.snapshots import ROOT, RULES_JSON, SCHEMA_GRAPHQL, rules


def test_the_pages_offer_what_the_domain_allows():
    # As values: the pages' own formatter sets the lines.
    assert json.loads(RULES_JSON.read_text(encoding="utf-8")) == json.loads(rules()), "run: make fix"


@pytest.fixture(scope="module")
def operations():
    files = sorted((ROOT / "admin-ui" / "src").glob("[!e]*/**/*.graphql"))
    return concat_ast([parse(file.read_text(encoding="utf-8")) for file in files])


def test_the_pages_ask_for_what_the_api_has(operations):
    assert validate(build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8")), operations) == []
