"""No text in the billing export becomes a formula, wherever a spreadsheet splits the file into cells."""

import csv
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.model import EngineerId, TicketId
from app.jobs.billing_export import COLUMNS, SEPARATORS, csv_chunks
from app.queries.billing import BillableLine, BillablePart

LINE = BillableLine(
    ticket_id=TicketId("T-1"),
    engineer_id=EngineerId(UUID(int=1)),
    rate_id=0,
    hourly_rate=Decimal("80.55"),
    rate_valid_from=None,
    assignments=1,
    hours=None,
    assignments_without_hours=1,
    labour_cost=None,
    parts_cost=Decimal("0.00"),
    parts_without_price=0,
    cost=None,
    parts=(),
    ticket_number="SR-1",
    customer_name=None,
    engineer_name="Ana",
)
FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
texts = st.text(st.sampled_from(f"{FORMULA},;\t\r\n\"' \u00a0a1"), max_size=8)


async def write(lines: list[BillableLine], separator: str) -> str:
    async def stream() -> AsyncIterator[BillableLine]:
        for line in lines:
            yield line

    return "".join([chunk async for chunk in csv_chunks(stream(), "EUR", separator)])


def cells(file: str, separator: str) -> list[list[str]]:
    return list(csv.reader(StringIO(file, newline=""), delimiter=separator))


@pytest.mark.parametrize("written", SEPARATORS)
@given(names=st.tuples(texts, texts, texts), parts=st.lists(st.tuples(texts, texts), max_size=2))
@example(names=("Plain;@SUM(1+1)", "a\n=1", "b\r\n+1"), parts=[("a;=cmd|' /C calc'!A0", 'b;"=1')])
@example(names=("", ';"\t', ""), parts=[])
@example(names=("=1", ",\t@1", '"\r-1'), parts=[("\n\uff1d1", "x, =1")])
async def test_no_cell_starts_a_formula(written, names, parts):
    customer, engineer, number = names
    line = replace(
        LINE,
        customer_name=customer,
        engineer_name=engineer,
        ticket_number=number,
        ticket_id=TicketId(customer),
        parts=tuple(BillablePart(name, text, 1, None, None) for name, text in parts),
    )
    file = await write([line, line], written)
    for separator in (*SEPARATORS, "\t"):
        for cell in [cell for row in cells(file, separator) for cell in row]:
            assert not cell.startswith((*FORMULA, "\t", "\r")), (separator, cell)
            assert not cell.lstrip().startswith(tuple(FORMULA)), (separator, cell)
    for cell in re.split(r"[,;\t\r\n]", file):  # quotes ignored
        assert not cell.lstrip(' "\u00a0').startswith(tuple(FORMULA)), cell
    # The intended reader gets the text, but for the apostrophes.
    [_, row, _] = cells(file, written)
    assert [text.replace("'", "") for text in row[:4]] == [
        text.replace("'", "") for text in (number, customer, customer, engineer)
    ]


@pytest.mark.parametrize("separator", SEPARATORS)
async def test_harmless_text_and_numbers_are_unchanged(separator):
    names = ['a"b,c', "Müller\nSöhne", "1-2", "", "St. Anna; Ward 2", "it's = 1, 2\r\n3"]
    file = await write([replace(LINE, customer_name=name) for name in names], separator)
    header, *rows = cells(file, separator)
    assert tuple(header) == COLUMNS
    assert [row[2] for row in rows] == names
    assert {row[8] for row in rows} == {"80.55"}
    assert {row[6] for row in rows} == {""}
