"""Responses of the server itself, to requests that the application never sees. All close the connection."""

from __future__ import annotations


def _final_response(status: str, code: str, message: str) -> bytes:
    body = f'{{"errors":[{{"message":"{message}","extensions":{{"code":"{code}"}}}}]}}'
    headers = (
        "content-type: application/json; charset=utf-8",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", body)).encode()


BAD_REQUEST = _final_response("400 Bad Request", "BAD_USER_INPUT", "The request is not HTTP/1.1.")
REQUEST_TIMEOUT = _final_response("408 Request Timeout", "REQUEST_TIMEOUT", "The request took too long.")
HEADERS_TOO_LARGE = _final_response(
    "431 Request Header Fields Too Large", "HEADERS_TOO_LARGE", "The headers are too large."
)
