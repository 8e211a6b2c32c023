"""What people write is kept to the letter, and is only ever text."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.values import LONG

ASSIGN = """mutation($input: AssignTicketInput!) {
    assignTicket(input: $input) { ... on Assignment { assignmentReason } ... on Refusal { code } } }"""
HISTORY = "query($id: ID!) { ticket(id: $id) { assignmentHistory { assignmentReason } } }"
TEXTS = {
    "SQL": "'; DROP TABLE service_tickets; -- $1 %s \\' \\\\ /* */",
    "HTML": "<script>alert(1)</script>&amp;\"'",
    "JSON": '{"a": [null, "\\u0000", 1e999]}',
    "GraphQL": '") { __schema { types } } #',
    "right to left": "\u202egnihtyna\u202c \u0645\u0631\u062d\u0628\u0627",
    "of no width": "a\u200b\u200d\ufeffb",
    "composed and not": "é e\u0301",
    "beyond two bytes": "\U0001f9ef\U0010ffff",
    "control": "a\tb\r\nc\x1b[31m\x7f\x01",
    "as long as may be": "ü" * LONG,
}


async def kept(ask, make, reason: str) -> None:
    command = {"ticketId": await make.ticket(), "engineerId": str(await make.engineer()), "reason": reason}
    assert (await ask(ASSIGN, input=command))["assignTicket"] == {"assignmentReason": reason}
    [turn] = (await ask(HISTORY, id=command["ticketId"]))["ticket"]["assignmentHistory"]
    assert turn["assignmentReason"] == reason


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_text_is_kept_as_it_came(ask, make, kind):
    await kept(ask, make, TEXTS[kind])


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50)


@given(storable.filter(lambda text: text == text.strip()))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_so_is_any_other(ask, make, text):
    await kept(ask, make, text)
