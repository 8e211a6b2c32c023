"""Trusted documents: which roles may execute which, how they are requested, and manifests."""

import json
from typing import Any
from urllib.parse import urlencode

import graphql
import pytest

from app import config, doctor
from app.asgi import documents_for
from app.batch_scheduler import BatchScheduler
from app.config import SettingsError
from app.domain.model import Actor, Role
from app.events import Feed
from app.graphql.admission.limits import Limits
from app.graphql.admission.operation import OperationRequest
from app.graphql.admission.trusted_documents import TrustedDocuments, hash_of, own_documents, read_manifest
from app.graphql.context import Context
from app.graphql.pipeline import OperationPipeline
from app.graphql.schema import build_schema
from tests.graphql.conftest import act_as
from tests.graphql.transport.test_request import status_of
from tests.snapshots import MOBILE_JSON, mobile_manifest

ROLE = "{ viewer { role } }"
UNTRUSTED = "{ viewer { subject } }"
ACCEPT = "mutation($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"
DOCUMENTS = TrustedDocuments({hash_of(text): text for text in (ROLE, ACCEPT)}, only=False)
ONLY_TRUSTED = TrustedDocuments(DOCUMENTS.texts, only=True)
NEWER = {"Accept": "application/graphql-response+json"}


def apollo_request(document_hash: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": document_hash}}}


REQUESTS = {
    "documentId": lambda text: {"documentId": f"sha256:{hash_of(text)}"},
    "documentId without prefix": lambda text: {"documentId": hash_of(text)},
    "persistedQuery": lambda text: apollo_request(hash_of(text)),
    "persistedQuery and query": lambda text: {"query": text, **apollo_request(hash_of(text))},
    "documentId and null query": lambda text: {"query": None, "documentId": hash_of(text)},
    "query": lambda text: {"query": text},
}


async def code_of(api: Any, request: dict[str, Any]) -> str | None:
    """Return the code of the request's error; None if it was executed."""
    response = await api.client.post("/graphql", json=request, headers=NEWER)
    body = response.json()
    if "data" in body:
        assert response.status_code == 200
        return None
    assert response.status_code == 400
    return body["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_trusted_document_is_executed_for_every_role(serve, tokens, kind):
    for documents in (DOCUMENTS, ONLY_TRUSTED):
        api = await serve(documents=documents)
        for role in Role:
            act_as(api, tokens, role)
            response = await api.client.post("/graphql", json=REQUESTS[kind](ROLE))
            assert response.json()["data"] == {"viewer": {"role": role.name}}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_an_untrusted_document_needs_a_role_that_explores(serve, tokens, kind):
    api, request = await serve(documents=ONLY_TRUSTED), REQUESTS[kind](UNTRUSTED)
    missing = "PERSISTED_QUERY_NOT_SUPPORTED" if "extensions" in request else "PERSISTED_QUERY_NOT_FOUND"
    code = None if request.get("query") else missing
    for role in (*Role, None):
        act_as(api, tokens, role)
        explores = role in (Role.ADMIN, Role.DISPATCHER)
        assert await code_of(api, request) == (code if explores else "DOCUMENT_NOT_TRUSTED")
    unrestricted = await serve(documents=DOCUMENTS)
    act_as(unrestricted, tokens, Role.ENGINEER)
    assert await code_of(unrestricted, request) == code


async def test_automatic_persisted_queries_are_refused_in_the_words_of_their_clients(serve):
    """Urql compares the message, Apollo Client the message or the code; both then send texts only."""
    api = await serve(documents=DOCUMENTS)
    response = await api.client.post("/graphql", json=apollo_request(hash_of(UNTRUSTED)), headers=NEWER)
    [error] = response.json()["errors"]
    assert error["message"] == "PersistedQueryNotSupported"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert await code_of(api, {"query": UNTRUSTED}) is None


async def test_a_similar_text_is_not_trusted(serve, tokens):
    api = await serve(documents=ONLY_TRUSTED)
    act_as(api, tokens, Role.ENGINEER)
    for text in (ROLE + " ", ROLE.upper(), ROLE + "#", "{", UNTRUSTED + ROLE):
        assert await code_of(api, {"query": text}) == "DOCUMENT_NOT_TRUSTED"


async def test_the_error_says_what_to_do(serve, tokens):
    api = await serve(documents=ONLY_TRUSTED)
    act_as(api, tokens, Role.ENGINEER)
    answer = await api.answer(UNTRUSTED)
    assert answer.keys() == {"errors"}
    assert "documentId" in answer["errors"][0]["message"]


async def test_a_hash_of_another_text_is_rejected(serve, tokens):
    for documents in (DOCUMENTS, ONLY_TRUSTED):
        api = await serve(documents=documents)
        act_as(api, tokens, Role.ENGINEER)
        assert await code_of(api, {"query": ROLE, "documentId": hash_of(ACCEPT)}) == "BAD_USER_INPUT"


@pytest.mark.parametrize("persisted", [1, "x", [], {}, {"sha256Hash": 1}, {"sha256Hash": None}])
async def test_a_malformed_hash_is_rejected(serve, persisted):
    api = await serve(documents=DOCUMENTS)
    request = {"query": ROLE, "extensions": {"persistedQuery": persisted}}
    assert await code_of(api, request) == "BAD_USER_INPUT"
    assert (await api.client.post("/graphql", json={"documentId": 1})).status_code == 400


async def test_a_url_may_identify_a_query_but_not_a_mutation(serve, make, db, tokens):
    assignment = await make.assigned()
    for documents in (DOCUMENTS, ONLY_TRUSTED):
        api = await serve(documents=documents)
        act_as(api, tokens, Role.ENGINEER, assignment.engineer_id)
        for parameters in (
            {"documentId": hash_of(ROLE)},
            {"extensions": json.dumps(apollo_request(hash_of(ROLE))["extensions"])},
        ):
            response = await api.client.get(f"/graphql?{urlencode(parameters)}")
            assert response.json()["data"] == {"viewer": {"role": "ENGINEER"}}
        accept = {"documentId": hash_of(ACCEPT), "variables": json.dumps({"id": str(assignment.id)})}
        response = await api.client.get(f"/graphql?{urlencode(accept)}")
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
        assert await status_of(db, assignment.id) == "assigned"
    response = await api.client.post("/graphql", json=accept | {"variables": {"id": str(assignment.id)}})
    assert response.json()["data"] == {"acceptAssignment": {"__typename": "Assignment"}}


async def test_a_trusted_document_is_limited_and_charged(serve):
    expensive = "{ tickets(first: 100) { nodes { id } } }"
    api = await serve(
        documents=TrustedDocuments({hash_of(expensive): expensive}, only=True), cost=500, bucket=500
    )
    request = {"documentId": hash_of(expensive)}
    answer = (await api.client.post("/graphql", json=request)).json()
    assert answer["extensions"]["cost"]["requested"] == 302
    assert (
        await code_of(await serve(documents=DOCUMENTS, fields=1), {"documentId": hash_of(ROLE)})
        == "QUERY_TOO_LARGE"
    )


@pytest.mark.parametrize("documents", [DOCUMENTS, ONLY_TRUSTED])
async def test_a_stream_has_the_same_rules(db, documents):
    pipeline = OperationPipeline(Limits(), production=True, documents=documents)
    for text, expected in (
        (ROLE, None),
        (UNTRUSTED, "DOCUMENT_NOT_TRUSTED" if documents.only else "PERSISTED_QUERY_NOT_SUPPORTED"),
    ):
        context = Context(db, Feed("unused"), BatchScheduler(), Actor("x", Role.ENGINEER, None), "")
        request = OperationRequest(None, extensions=apollo_request(hash_of(text))["extensions"])
        [result] = [each async for each in pipeline.stream(pipeline.admit(request, context))]
        assert [e.extensions["code"] for e in result.errors or ()] == ([expected] if expected else [])


# Manifests


def test_the_manifest_of_the_mobile_client_is_current():
    assert MOBILE_JSON.read_text(encoding="utf-8") == mobile_manifest(), "run: make fix"


@pytest.mark.parametrize("text", read_manifest(MOBILE_JSON).values(), ids=lambda text: text[:20])
async def test_an_engineer_can_execute_the_documents_of_the_mobile_client(serve, make, tokens, text):
    assignment = await make.assigned()
    api = await serve(production=True, documents=TrustedDocuments(only=True))
    act_as(api, tokens, Role.ENGINEER, assignment.engineer_id)
    all_variables = {
        "$id": {"id": assignment.ticket_id},
        "$input": {"input": {"assignmentId": str(assignment.id)}},
    }
    variables = next((value for name, value in all_variables.items() if name in text), {})
    if "rejectAssignment" in text:
        variables["input"]["reason"] = "no time"
    if "completeAssignment" in text:
        variables["input"] |= {"completionStatus": "SUCCESS", "timeSpentHours": "1"}
    response = await api.client.post("/graphql", json={"documentId": hash_of(text), "variables": variables})
    assert "errors" not in response.json(), response.text


def test_the_documents_of_our_clients_are_valid():
    for text in own_documents().values():
        assert graphql.validate(build_schema()._schema, graphql.parse(text)) == []


INVALID = {
    "missing": None,
    "not JSON": "{",
    "a list": "[]",
    "numbers": '{"sha256:x": 1}',
    "another hash": json.dumps({hash_of(ROLE): UNTRUSTED}),
    "SHA-1": json.dumps({"1f0c1a0b9a6d0d4fc1b0e5e0ab5d9cb2ac9b8a55": ROLE}),
}


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_manifest_prevents_the_start(tmp_path, case):
    path = tmp_path / "manifest.json"
    if INVALID[case] is not None:
        path.write_text(INVALID[case])
    with pytest.raises(SettingsError, match=r"^TRUSTED_DOCUMENTS_FILE must be a manifest: .*manifest\.json"):
        documents_for(config.load({"TRUSTED_DOCUMENTS_FILE": str(path)}))


async def test_settings_add_documents_and_reject_others(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({f"sha256:{hash_of(ROLE)}": ROLE}))
    settings = config.load({"TRUSTED_DOCUMENTS_ONLY": "1", "TRUSTED_DOCUMENTS_FILE": str(path)})
    assert documents_for(settings) == TrustedDocuments(own_documents() | {hash_of(ROLE): ROLE}, only=True)
    assert not documents_for(config.load({"TRUSTED_DOCUMENTS_ONLY": "0"})).only
    with pytest.raises(SettingsError, match="TRUSTED_DOCUMENTS_ONLY must be 1 or 0, not 'yes'"):
        config.load({"TRUSTED_DOCUMENTS_ONLY": "yes"})
    lines: list[str] = []
    await doctor.examine(settings, emit=lines.append)
    assert any("documents are trusted, and no others run" in line for line in lines)
