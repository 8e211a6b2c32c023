"""What a client asks for, read from an HTTP request; whatever is no GraphQL request is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect

from app.graphql.transport import media_types
from app.http.headers import header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope

MAX_BODY_BYTES = 256 * 1024
_MAX_PARAMETERS = 20


class HttpRequestError(Exception):
    """Not a request that this server answers; `headers` go with the answer."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


@dataclass(frozen=True, slots=True)
class Parameters:
    query: str | None
    """None where the document is named in `extensions`."""
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any]


async def read(scope: Scope, receive: Receive, max_body_bytes: int) -> Parameters:
    """Raises NotServed; ClientDisconnect when the client leaves before it has said all."""
    if scope["method"] == "POST":
        return parameters(_decoded(await _body(scope, receive, max_body_bytes)))
    if scope["method"] == "GET":
        return parameters(_in_url(scope["query_string"]))
    raise HttpRequestError(
        405, "METHOD_NOT_ALLOWED", "GraphQL is asked by POST, or by GET.", Allow="GET, POST"
    )


async def _body(scope: Scope, receive: Receive, limit: int) -> bytearray:
    if not media_types.is_json(header(scope, b"content-type") or ""):
        raise HttpRequestError(
            415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json, in UTF-8."
        )
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise HttpRequestError(415, "UNSUPPORTED_MEDIA_TYPE", "The body must not be compressed.")
    # What a header announces is refused unread; what it does not is counted as it comes.
    _fits(int(header(scope, b"content-length") or "0"), limit)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        _fits(len(body), limit)
        more = message.get("more_body", False)
    return body


def _fits(size: int, limit: int) -> None:
    if size > limit:
        raise HttpRequestError(413, "CONTENT_TOO_LARGE", f"The body must have {limit} bytes or fewer.")


def _in_url(query_string: bytes) -> dict[str, Any]:
    """The parameters of a GET; an empty one is as good as none."""
    try:
        # The server hands on any byte; what is not ASCII was never a URL.
        pairs = parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise _malformed("The URL's parameters must be UTF-8, percent-encoded.") from None
    given: dict[str, Any] = dict(pairs)
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = _decoded(given[name])
    return given


def _decoded(text: str | bytearray) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _malformed("The request is not JSON in UTF-8.") from None


def parameters(given: object) -> Parameters:
    """Of a request in JSON, whatever brought it. Raises NotServed."""
    if not isinstance(given, dict):
        raise _malformed("The request must be one JSON object.")
    query = _typed(given, "query", str) or None
    extensions = _typed(given, "extensions", dict) or {}
    if document_id := _typed(given, "documentId", str):
        # As Apollo Client says it: there is one way to name a document from here on.
        extensions |= {"persistedQuery": {"sha256Hash": document_id}}
    if not query and "persistedQuery" not in extensions:
        raise _malformed("The request has neither a query nor a documentId.")
    return Parameters(
        query=query,
        variables=_typed(given, "variables", dict),
        operation_name=_typed(given, "operationName", str) or None,
        extensions=extensions,
    )


def _typed(given: Mapping[str, Any], name: str, type_: type) -> Any:  # noqa: ANN401 - of `type_`, or None
    value = given.get(name)
    if value is not None and not isinstance(value, type_):
        raise _malformed(f"{name} must be {'a string' if type_ is str else 'an object'}.")
    return value


def _malformed(message: str) -> HttpRequestError:
    return HttpRequestError(400, "BAD_USER_INPUT", message)
