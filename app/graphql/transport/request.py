"""Reads a GraphQL request from HTTP and rejects everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect

from app.graphql.admission.operation import OperationRequest
from app.graphql.transport import media_types
from app.http.headers import header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope

MAX_BODY_BYTES = 256 * 1024
_MAX_PARAMETERS = 20


class HttpRequestError(Exception):
    """The request is rejected before it becomes an operation; `headers` are sent with the response."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


async def read_request(scope: Scope, receive: Receive, max_body_bytes: int) -> OperationRequest:
    """Raises HttpRequestError, and ClientDisconnect if the client disconnects before the body is complete."""
    if scope["method"] == "POST":
        return parse_request(_parse_json(await _read_body(scope, receive, max_body_bytes)))
    if scope["method"] == "GET":
        return parse_request(_parse_query_string(scope["query_string"]))
    raise HttpRequestError(
        405, "METHOD_NOT_ALLOWED", "Send GraphQL requests by POST, or queries by GET.", Allow="GET, POST"
    )


async def _read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytearray:
    if not media_types.is_json(header(scope, b"content-type") or ""):
        raise HttpRequestError(
            415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json, in UTF-8."
        )
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise HttpRequestError(415, "UNSUPPORTED_MEDIA_TYPE", "The body must not be compressed.")
    # A large body is rejected unread if it has a Content-Length; otherwise its bytes are counted.
    _check_size(int(header(scope, b"content-length") or "0"), max_bytes)
    body, has_more = bytearray(), True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        _check_size(len(body), max_bytes)
        has_more = message.get("more_body", False)
    return body


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise HttpRequestError(413, "CONTENT_TOO_LARGE", f"The body must have {max_bytes} bytes or fewer.")


def _parse_query_string(query_string: bytes) -> dict[str, Any]:
    """Return the parameters of a GET request; empty ones are omitted."""
    try:
        # The server passes on any byte, but a URL is ASCII.
        pairs = parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise _malformed("The URL's parameters must be UTF-8, percent-encoded.") from None
    parameters: dict[str, Any] = dict(pairs)
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _parse_json(parameters[name])
    return parameters


def _parse_json(text: str | bytearray) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _malformed("The request must be JSON in UTF-8.") from None


def parse_request(parameters: object) -> OperationRequest:
    """Check the types of a request's JSON. Raises HttpRequestError."""
    if not isinstance(parameters, dict):
        raise _malformed("The request must be a single JSON object.")
    query = _typed(parameters, "query", str) or None
    extensions = _typed(parameters, "extensions", dict) or {}
    if document_id := _typed(parameters, "documentId", str):
        # Where Apollo Client puts the hash, so that the rest of the code knows one place only.
        extensions |= {"persistedQuery": {"sha256Hash": document_id}}
    if not query and "persistedQuery" not in extensions:
        raise _malformed("The request has neither a query nor a documentId.")
    return OperationRequest(
        query=query,
        variables=_typed(parameters, "variables", dict),
        operation_name=_typed(parameters, "operationName", str) or None,
        extensions=extensions,
    )


def _typed(parameters: Mapping[str, Any], name: str, type_: type) -> Any:  # noqa: ANN401 - of `type_`, or None
    value = parameters.get(name)
    if value is not None and not isinstance(value, type_):
        raise _malformed(f"{name} must be {'a string' if type_ is str else 'an object'}.")
    return value


def _malformed(message: str) -> HttpRequestError:
    return HttpRequestError(400, "BAD_USER_INPUT", message)
