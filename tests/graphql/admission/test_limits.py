"""Each limit at its maximum and one above, and its error."""

from dataclasses import fields
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app import config, doctor
from app.graphql.admission.limits import Limits
from app.graphql.pagination import MAX_PAGE

LIMITS = Limits()
DOCS = Path(__file__).parents[3] / "docs" / "limits.md"
ACCEPT = f'acceptAssignment(input: {{assignmentId: "{UUID(int=0)}"}}) {{ __typename }}'
ROLE = "{ viewer { role } }"


def nested(depth: int) -> str:
    """Nest `depth` fields."""
    opening = ["ticket(id: 1)", *["currentAssignment", "ticket"] * depth][: depth - 1]
    return "{ " + " { ".join(opening) + " { id" + " }" * depth


def aliased(count: int) -> str:
    return "{ viewer { " + " ".join(f"a{i}: role" for i in range(count)) + " } }"


def wide(count: int) -> str:
    """Select `count` fields, with few of the same name next to one another."""
    groups, rest = divmod(count, 30)
    group = "viewer {" + " role __typename" * 14 + " role } "
    return (
        "{ " + "".join(f"a{i}: {group}" for i in range(groups)) + "viewer {" + " role" * (rest - 1) + " } }"
    )


def roots(count: int) -> str:
    return "{ " + " ".join(f"a{i}: __typename" for i in range(count)) + " }"


def mutations(count: int) -> str:
    return "mutation { " + " ".join(f"a{i}: {ACCEPT}" for i in range(count)) + " }"


def costly(cost: int) -> str:
    """A page of 100 tickets with histories costs 19 902 points; the viewer has the rest."""
    page = "tickets(first: 100) { nodes {" + " id" * 7 + " assignmentHistory {" + " id" * 17 + " } } }"
    return "{ " + page + " viewer {" + " role" * (cost - 19_902 - 2) + " } }"


DOCUMENTS = {
    "characters": ROLE.ljust,
    "tokens": lambda n: ROLE + "#\n" * (n - 6),
    "depth": nested,
    "aliases": aliased,
    "fields": wide,
    "directives": lambda n: "{ viewer { role" + " role @skip(if: false)" * n + " } }",
    "roots": roots,
    "mutations": mutations,
    "cost": costly,
}
"""Creates a document of exactly this size, for each limit."""


def assert_too_large(answer: Any, limit: str, maximum: int, counted: int | None) -> None:
    [error] = answer["errors"]
    extensions = {"code": "QUERY_TOO_LARGE", "limit": limit, "maximum": maximum}
    assert error["extensions"] == extensions | ({} if counted is None else {"counted": counted})
    assert limit in error["message"]
    assert "data" not in answer


@pytest.mark.parametrize("limit", DOCUMENTS)
async def test_the_maximum_is_allowed_and_one_more_is_rejected(ask, limit):
    document, maximum = DOCUMENTS[limit], getattr(LIMITS, limit)
    assert "errors" not in await ask.answer(document(maximum))
    counted = None if limit == "tokens" else maximum + 1
    assert_too_large(await ask.answer(document(maximum + 1)), limit, maximum, counted)


@pytest.mark.parametrize("limit", ["aliases", "fields", "roots", "cost"])
async def test_fragments_are_expanded(ask, limit):
    maximum = getattr(LIMITS, limit)
    for count in (maximum, maximum + 1):
        document = "{ ...Hidden } fragment Hidden on Query " + DOCUMENTS[limit](count)
        answer = await ask.answer(document)
        if count == maximum:
            assert "errors" not in answer
        else:
            assert_too_large(answer, limit, maximum, count)


async def test_comparisons_of_fields_are_limited(ask):
    few, many = ("{ viewer {" + " role" * count + " } }" for count in (90, 400))
    assert "errors" not in await ask.answer(few)
    assert_too_large(await ask.answer(many), "comparisons", LIMITS.comparisons, None)


async def test_an_expensive_query_is_rejected_before_it_reads(statements, ask_own):
    statements.clear()
    history = "assignmentHistory { ticket { %s } }"
    cyclic = "{ tickets(first: 100) { nodes { %s } } }" % (history % (history % "assignmentHistory { id }"))
    [error] = (await ask_own.answer(cyclic))["errors"]
    assert (error["extensions"]["limit"], statements) == ("cost", [])


async def test_the_errors_of_validation_are_limited(ask):
    unknown = "{ viewer { " + " ".join(f"nothing{i}" for i in range(400)) + " } }"
    errors = (await ask.answer(unknown))["errors"]
    assert len(errors) == LIMITS.errors
    assert [error["extensions"].get("errorCount") for error in errors] == [None] * 4 + [6]


async def test_the_errors_of_execution_are_counted(serve, make):
    api = await serve(errors=2)
    query = "{ " + " ".join(f'a{i}: engineer(id: "x") {{ id }}' for i in range(7)) + " }"
    errors = (await api.answer(query))["errors"]
    assert [error["extensions"].get("errorCount") for error in errors] == [None, 7]


# Documentation


def test_the_documented_limits_are_current():
    table = DOCS.read_text(encoding="utf-8").partition("\n\nEmbedders")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{f.name}` | {f.default:,} | {f.metadata['description']} |" for f in fields(Limits)]


async def test_the_doctor_prints_the_limits():
    lines: list[str] = []
    await doctor.examine(config.load({}), emit=lines.append)
    for f in fields(Limits):
        assert f"  {f.name} = {f.default}\n      {f.metadata['description']}" in lines


def test_contradictory_limits_are_rejected():
    with pytest.raises(ValueError, match="bucket"):
        Limits(bucket=1)
    assert Limits().page == MAX_PAGE
