"""Documents by name: who may run which, and that nothing else differs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import graphql
import pytest

from app import config, doctor
from app.asgi import documents_for
from app.config import SettingsError
from app.domain.model import Actor, Role
from app.events import Feed
from app.graphql.admission.limits import Limits
from app.graphql.admission.trusted_documents import TrustedDocuments, name_of, own_documents, read_manifest
from app.graphql.batching.event_cache import EventResultCache
from app.graphql.batching.scheduler import BatchScheduler
from app.graphql.context import Context
from app.graphql.schema import build_schema, schema
from tests.graphql.conftest import act_as
from tests.graphql.transport.test_request import status_of
from tests.snapshots import MOBILE_JSON, mobile_manifest

ROLE = "{ viewer { role } }"
NOBODYS = "{ viewer { subject } }"
ACCEPT = "mutation($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"
KNOWN = TrustedDocuments({name_of(text): text for text in (ROLE, ACCEPT)}, only=False)
ONLY = TrustedDocuments(KNOWN.texts, only=True)
NEWER = {"Accept": "application/graphql-response+json"}


def by_apollo(name: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": name}}}


WAYS = {
    "by name": lambda text: {"documentId": f"sha256:{name_of(text)}"},
    "by its bare hash": lambda text: {"documentId": name_of(text)},
    "as Apollo names it": lambda text: by_apollo(name_of(text)),
    "as Apollo names it, with the text": lambda text: {"query": text, **by_apollo(name_of(text))},
    "by both, no query": lambda text: {"query": None, "documentId": name_of(text)},
    "by its text": lambda text: {"query": text},
}


async def code_of(api: Any, request: dict[str, Any]) -> str | None:
    """None where it ran."""
    response = await api.client.post("/graphql", json=request, headers=NEWER)
    body = response.json()
    if "data" in body:
        assert response.status_code == 200
        return None
    assert response.status_code == 400
    return body["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_known_document_runs_however_it_is_named(serve, tokens, way):
    for documents in (KNOWN, ONLY):
        api = await serve(documents=documents)
        for role in Role:
            act_as(api, tokens, role)
            response = await api.client.post("/graphql", json=WAYS[way](ROLE))
            assert response.json()["data"] == {"viewer": {"role": role.name}}


@pytest.mark.parametrize("way", WAYS)
async def test_another_runs_for_those_who_explore_where_only_trusted_ones_do(serve, tokens, way):
    api, request = await serve(documents=ONLY), WAYS[way](NOBODYS)
    otherwise = None if request.get("query") else "PERSISTED_QUERY_NOT_FOUND"
    for role in (*Role, None):
        act_as(api, tokens, role)
        explores = role in (Role.ADMIN, Role.DISPATCHER)
        assert await code_of(api, request) == (otherwise if explores else "DOCUMENT_NOT_TRUSTED")
    unrestricted = await serve(documents=KNOWN)
    act_as(unrestricted, tokens, Role.ENGINEER)
    assert await code_of(unrestricted, request) == otherwise


async def test_the_text_must_be_the_very_same(serve, tokens):
    api = await serve(documents=ONLY)
    act_as(api, tokens, Role.ENGINEER)
    for text in (ROLE + " ", ROLE.upper(), ROLE + "#", "{", NOBODYS + ROLE):
        assert await code_of(api, {"query": text}) == "DOCUMENT_NOT_TRUSTED"


async def test_a_refusal_says_what_to_do(serve, tokens):
    api = await serve(documents=ONLY)
    act_as(api, tokens, Role.ENGINEER)
    answer = await api.answer(NOBODYS)
    assert answer.keys() == {"errors"}
    assert "documentId" in answer["errors"][0]["message"]


async def test_a_name_beside_another_text_is_refused(serve, tokens):
    for documents in (KNOWN, ONLY):
        api = await serve(documents=documents)
        act_as(api, tokens, Role.ENGINEER)
        assert await code_of(api, {"query": ROLE, "documentId": name_of(ACCEPT)}) == "BAD_USER_INPUT"


@pytest.mark.parametrize("persisted", [1, "x", [], {}, {"sha256Hash": 1}, {"sha256Hash": None}])
async def test_a_name_of_another_form_is_refused(serve, persisted):
    api = await serve(documents=KNOWN)
    request = {"query": ROLE, "extensions": {"persistedQuery": persisted}}
    assert await code_of(api, request) == "BAD_USER_INPUT"
    assert (await api.client.post("/graphql", json={"documentId": 1})).status_code == 400


async def test_a_query_may_be_named_in_a_url_and_a_mutation_may_not(serve, make, db, tokens):
    held = await make.assigned()
    for documents in (KNOWN, ONLY):
        api = await serve(documents=documents)
        act_as(api, tokens, Role.ENGINEER, held.engineer_id)
        for name in (
            {"documentId": name_of(ROLE)},
            {"extensions": json.dumps(by_apollo(name_of(ROLE))["extensions"])},
        ):
            response = await api.client.get(f"/graphql?{urlencode(name)}")
            assert response.json()["data"] == {"viewer": {"role": "ENGINEER"}}
        accept = {"documentId": name_of(ACCEPT), "variables": json.dumps({"id": str(held.id)})}
        response = await api.client.get(f"/graphql?{urlencode(accept)}")
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
        assert await status_of(db, held.id) == "assigned"
    response = await api.client.post("/graphql", json=accept | {"variables": {"id": str(held.id)}})
    assert response.json()["data"] == {"acceptAssignment": {"__typename": "Assignment"}}


async def test_a_document_by_name_is_measured_and_paid_for_as_any(serve):
    costly = "{ tickets(first: 100) { nodes { id } } }"
    api = await serve(documents=TrustedDocuments({name_of(costly): costly}, only=True), cost=500, bucket=500)
    request = {"documentId": name_of(costly)}
    answer = (await api.client.post("/graphql", json=request)).json()
    assert answer["extensions"]["cost"]["requested"] == 302
    assert (
        await code_of(await serve(documents=KNOWN, fields=1), {"documentId": name_of(ROLE)})
        == "QUERY_TOO_LARGE"
    )


@pytest.mark.parametrize("documents", [KNOWN, ONLY])
async def test_a_stream_is_held_to_the_same(db, documents):
    """Of whatever transport: what is run is decided where every operation is admitted."""
    ours = build_schema(Limits(), production=True, documents=documents)
    for name, expected in (
        (ROLE, None),
        (NOBODYS, "DOCUMENT_NOT_TRUSTED" if documents.only else "PERSISTED_QUERY_NOT_FOUND"),
    ):
        context = Context(
            db, Feed("unused"), EventResultCache(), BatchScheduler(), Actor("x", Role.ENGINEER, None), ""
        )
        extensions = by_apollo(name_of(name))["extensions"]
        results = [
            r async for r in await ours.stream(None, context_value=context, operation_extensions=extensions)
        ]
        [result] = results
        assert [e.extensions["code"] for e in result.errors or ()] == ([expected] if expected else [])


# The manifests


def test_the_mobile_clients_manifest_is_current():
    assert MOBILE_JSON.read_text(encoding="utf-8") == mobile_manifest(), "run: make fix"


@pytest.mark.parametrize("text", read_manifest(MOBILE_JSON).values(), ids=lambda text: text[:20])
async def test_every_document_of_the_mobile_client_runs_for_an_engineer(serve, make, tokens, text):
    held = await make.assigned()
    api = await serve(production=True, documents=TrustedDocuments(only=True))
    act_as(api, tokens, Role.ENGINEER, held.engineer_id)
    given = {"$id": {"id": held.ticket_id}, "$input": {"input": {"assignmentId": str(held.id)}}}
    variables = next((value for name, value in given.items() if name in text), {})
    if "rejectAssignment" in text:
        variables["input"]["reason"] = "no time"
    if "completeAssignment" in text:
        variables["input"] |= {"completionStatus": "SUCCESS", "timeSpentHours": "1"}
    response = await api.client.post("/graphql", json={"documentId": name_of(text), "variables": variables})
    assert "errors" not in response.json(), response.text


def test_every_document_of_our_clients_fits_the_schema():
    for text in own_documents().values():
        assert graphql.validate(schema._schema, graphql.parse(text)) == []


WRONG = {
    "nothing": None,
    "no JSON": "{",
    "a list": "[]",
    "no texts": '{"sha256:x": 1}',
    "another hash": json.dumps({name_of(ROLE): NOBODYS}),
    "SHA-1": json.dumps({"1f0c1a0b9a6d0d4fc1b0e5e0ab5d9cb2ac9b8a55": ROLE}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_manifest_that_is_none_stops_the_start(tmp_path, what):
    path = tmp_path / "manifest.json"
    if WRONG[what] is not None:
        path.write_text(WRONG[what])
    with pytest.raises(SettingsError, match=r"^TRUSTED_DOCUMENTS_FILE must be a manifest: .*manifest\.json"):
        documents_for(config.load({"TRUSTED_DOCUMENTS_FILE": str(path)}))


async def test_settings_turn_it_on_and_add_to_our_clients_documents(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({f"sha256:{name_of(ROLE)}": ROLE}))
    settings = config.load({"TRUSTED_DOCUMENTS_ONLY": "1", "TRUSTED_DOCUMENTS_FILE": str(path)})
    assert documents_for(settings) == TrustedDocuments(own_documents() | {name_of(ROLE): ROLE}, only=True)
    assert not documents_for(config.load({"TRUSTED_DOCUMENTS_ONLY": "0"})).only
    with pytest.raises(SettingsError, match="TRUSTED_DOCUMENTS_ONLY must be 1 or 0, not 'yes'"):
        config.load({"TRUSTED_DOCUMENTS_ONLY": "yes"})
    said: list[str] = []
    await doctor.examine(settings, say=said.append)
    assert any("documents are trusted, and no others run" in line for line in said)
