"""The messages of graphql-transport-ws that a client sends, and how the server closes the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from app.graphql.transport.request import HttpRequestError, parse_request

if TYPE_CHECKING:
    from app.graphql.admission.operation import OperationRequest

_MAX_ID_LENGTH = 128
_MAX_REASON_BYTES = 123

Message: TypeAlias = "dict[str, Any]"


class CloseConnection(Exception):
    """Close the connection with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        # A longer reason does not fit a close frame (RFC 6455, section 5.5), so that clients see 1006.
        self.reason = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")


def parse_message(text: str | None) -> Message:
    """Check a message's type, id and payload. `text` is None for a binary one. Raises CloseConnection."""
    try:
        message = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        raise _invalid("it must be JSON, in a text message") from None
    if not isinstance(message, dict):
        raise _invalid("it must be a JSON object")
    type_ = message.get("type")
    if type_ in ("subscribe", "complete"):
        id_ = message.get("id")
        if not isinstance(id_, str) or not 0 < len(id_) <= _MAX_ID_LENGTH:
            raise _invalid(f"id must be a string of 1 to {_MAX_ID_LENGTH} characters")
    elif type_ in ("connection_init", "ping", "pong"):
        if not isinstance(message.get("payload"), dict | None):
            raise _invalid("payload must be an object")
    else:
        raise _invalid("its type is unknown")
    return message


def parse_subscribe(message: Message) -> OperationRequest:
    """Return the request in a subscribe message. Raises CloseConnection."""
    try:
        return parse_request(message.get("payload"))
    except HttpRequestError as error:
        raise _invalid(error.message) from None


def _invalid(reason: str) -> CloseConnection:
    return CloseConnection(4400, f"Invalid message: {reason}")
