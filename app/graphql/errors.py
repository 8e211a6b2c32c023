"""Errors other than refusals: each has a code for clients, and internal details are masked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from graphql import GraphQLError

from app.db.errors import OutcomeUnknown, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.errors import InvalidInput

log = structlog.get_logger()

_LARGEST_INT = 2**31 - 1
RETRY_AFTER_S = 1
_UNAVAILABLE = {
    Unavailable: "The service cannot reach its database; try again shortly.",
    OutcomeUnknown: "The database did not confirm the change; retry shortly with the same"
    " idempotencyKey. Without a key, read first whether the change was made.",
}


class Unauthenticated(GraphQLError):
    def __init__(self) -> None:
        super().__init__(
            "Sign in: send a bearer token in the Authorization header.",
            extensions={"code": "UNAUTHENTICATED"},
        )


class Forbidden(GraphQLError):
    """The role never permits this read."""

    def __init__(self) -> None:
        super().__init__("Your role does not allow this; ask an admin.", extensions={"code": "FORBIDDEN"})


class BadUserInput(GraphQLError):
    """An argument of a query is invalid; a mutation returns InvalidInput instead."""

    def __init__(self, refusal: InvalidInput) -> None:
        super().__init__(refusal.message, extensions={"code": "BAD_USER_INPUT", "field": refusal.field})


class AmbiguousIdempotencyKey(GraphQLError):
    """The header does not say which of several mutations it applies to."""

    def __init__(self) -> None:
        super().__init__(
            "The Idempotency-Key header applies to a single mutation; give each one its own idempotencyKey.",
            extensions={"code": "BAD_USER_INPUT"},
        )


class DocumentNotTrusted(GraphQLError):
    def __init__(self) -> None:
        super().__init__(
            "The server executes only trusted documents: send the documentId of one, or its exact text.",
            extensions={"code": "DOCUMENT_NOT_TRUSTED"},
        )


class UnknownDocument(GraphQLError):
    """No document has this id."""

    def __init__(self) -> None:
        super().__init__(
            "No document has this id; send its text.", extensions={"code": "PERSISTED_QUERY_NOT_FOUND"}
        )


class PersistedQueriesNotSupported(GraphQLError):
    """The server does not learn documents. Clients compare this message, and then send texts."""

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported", extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})


class QueryTooLarge(GraphQLError):
    def __init__(self, limit: str, maximum: int, counted: int | None = None) -> None:
        extensions: dict[str, object] = {"code": "QUERY_TOO_LARGE", "limit": limit, "maximum": maximum}
        # Nested fragments can expand to more fields than fit into a GraphQL Int.
        if counted is not None and counted <= _LARGEST_INT:
            extensions["counted"] = counted
        super().__init__(
            f"The operation is too large: the limit of {limit} is {maximum}.", extensions=extensions
        )


class RateLimited(GraphQLError):
    def __init__(self, wait_s: float) -> None:
        seconds = math.ceil(wait_s)
        super().__init__(
            f"Rate limit exceeded; try again in {seconds} s.",
            extensions={"code": "RATE_LIMITED", "retryAfterSeconds": seconds},
        )


class TimedOut(GraphQLError):
    def __init__(self, timeout_s: float) -> None:
        super().__init__(
            f"The query took longer than {timeout_s:g} s; request fewer fields or a smaller page.",
            extensions={"code": "TIMEOUT"},
        )


def mask_errors(
    errors: list[GraphQLError],
    *,
    max_errors: int,
    has_suggestions: bool,
    hide_names: Callable[[str], str] | None = None,
) -> list[GraphQLError]:
    """Return the errors as a client may see them, at most `max_errors`; the last has the `errorCount`.

    A fault is masked, and logged once with the id that the client receives. `hide_names` changes the messages
    of graphql-core, which name parts of the schema.
    """
    ids: dict[int, str] = {}  # by cause: one fault in a loader fails many fields
    masked = [_mask_error(error, ids) for error in errors]
    if not has_suggestions:
        for error in masked:
            error.message = error.message.partition(" Did you mean ")[0]
    if hide_names is not None:
        for original, error in zip(errors, masked, strict=True):
            if "code" not in (original.extensions or {}):  # graphql-core's errors have none
                error.message = hide_names(error.message)
    if len(masked) > max_errors:
        masked = masked[:max_errors]
        masked[-1].extensions = {**(masked[-1].extensions or {}), "errorCount": len(errors)}
    return masked


def _mask_error(error: GraphQLError, ids: dict[int, str]) -> GraphQLError:
    cause = error.original_error
    if isinstance(cause, Unavailable):
        log.warning("database_unavailable", cause=repr(cause.__cause__), path=error.path)
        return _with_code(error, "UNAVAILABLE", _UNAVAILABLE[type(cause)], retryAfterSeconds=RETRY_AFTER_S)
    if isinstance(cause, GraphQLError) or (cause is None and error.path is None):
        # Raised by our code, or by graphql-core for syntax, validation or variables.
        return _with_code(error, str((error.extensions or {}).get("code", "BAD_USER_INPUT")), error.message)
    if error.path is None and error.nodes:
        # graphql-core failed to parse a value before execution, such as an integer of 5000 digits.
        return _with_code(error, "BAD_USER_INPUT", "A value of the request cannot be read.")
    fault = cause or error
    if id(fault) not in ids:
        ids[id(fault)] = uuid4().hex
        log.error("fault", error_id=ids[id(fault)], path=error.path, exc_info=fault)
    error_id = ids[id(fault)]
    return _with_code(
        error, "INTERNAL", f"Something went wrong on our side; error {error_id}.", errorId=error_id
    )


def _with_code(error: GraphQLError, code: str, message: str, **extensions: object) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**(error.extensions or {}), "code": code, **extensions},
    )
