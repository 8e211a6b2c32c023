"""The diagrams in the documents are current."""

from app.db.connections import connect
from app.domain.lifecycle import ALLOWED_FROM, Action
from tests import diagrams


def test_state_diagram_matches_the_commands():
    text = diagrams.WORKFLOW.read_text(encoding="utf-8")
    assert text == diagrams.render_workflow(text), "run: make fix"


async def test_entity_diagram_matches_the_database(fresh_url):
    text = diagrams.DATA.read_text(encoding="utf-8")
    async with connect(fresh_url) as conn:
        assert text == await diagrams.render_data(text, conn), "run: make fix"


def test_every_allowed_transition_is_in_the_state_diagram():
    transitions = {}
    for action, _, by_status in diagrams.decisions():
        transitions.setdefault(action, set()).update(by_status)
    assert transitions == {Action.ASSIGN: {None}} | ALLOWED_FROM
