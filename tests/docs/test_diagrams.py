"""The pictures in the documents show what is there."""

from __future__ import annotations

from app.db.connections import connect
from app.domain.lifecycle import ALLOWED_FROM, Action
from tests import diagrams


def test_the_states_are_those_of_the_commands():
    text = diagrams.WORKFLOW.read_text(encoding="utf-8")
    assert text == diagrams.render_workflow(text), "run: make fix"


async def test_the_tables_are_those_of_the_database(fresh_url):
    text = diagrams.DATA.read_text(encoding="utf-8")
    async with connect(fresh_url) as conn:
        assert text == await diagrams.render_data(text, conn), "run: make fix"


def test_every_action_is_drawn_from_where_it_is_allowed():
    drawn = {}
    for action, _, by_status in diagrams.decisions():
        drawn.setdefault(action, set()).update(by_status)
    assert drawn == {Action.ASSIGN: {None}} | ALLOWED_FROM
