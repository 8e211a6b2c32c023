"""Text is stored unchanged and never interpreted."""

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
    "zero width": "a\u200b\u200d\ufeffb",
    "composed and decomposed": "é e\u0301",
    "outside the basic plane": "\U0001f9ef\U0010ffff",
    "control": "a\tb\r\nc\x1b[31m\x7f\x01",
    "maximum length": "ü" * LONG,
}


async def assert_stored(ask, make, reason: str) -> None:
    input_ = {"ticketId": await make.ticket(), "engineerId": str(await make.engineer()), "reason": reason}
    assert (await ask(ASSIGN, input=input_))["assignTicket"] == {"assignmentReason": reason}
    [assignment] = (await ask(HISTORY, id=input_["ticketId"]))["ticket"]["assignmentHistory"]
    assert assignment["assignmentReason"] == reason


@pytest.mark.parametrize("kind", TEXTS)
async def test_text_is_stored_unchanged(ask, make, kind):
    await assert_stored(ask, make, TEXTS[kind])


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50)


@given(storable.filter(lambda text: text == text.strip()))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_text_is_stored_unchanged(ask, make, text):
    await assert_stored(ask, make, text)
