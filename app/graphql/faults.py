"""What a client sees of an error that is not a refusal: a code, and never what went wrong inside."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from graphql import GraphQLError

from app.db.pool import Unavailable

if TYPE_CHECKING:
    from app.domain.errors import InvalidInput

log = structlog.get_logger()


class Unauthenticated(GraphQLError):
    """No token came with the request."""

    def __init__(self) -> None:
        super().__init__(
            "Sign in: send a bearer token in the Authorization header.",
            extensions={"code": "UNAUTHENTICATED"},
        )


class BadUserInput(GraphQLError):
    """An argument of a query is out of its bounds; a mutation answers InvalidInput instead."""

    def __init__(self, refused: InvalidInput) -> None:
        super().__init__(refused.message, extensions={"code": "BAD_USER_INPUT", "field": refused.field})


def shown(errors: list[GraphQLError]) -> list[GraphQLError]:
    """The errors as a client may see them. A fault is masked, and logged once with the id that is shown."""
    ids: dict[int, str] = {}  # by cause: one fault in a loader fails many fields
    return [_shown(error, ids) for error in errors]


def _shown(error: GraphQLError, ids: dict[int, str]) -> GraphQLError:
    cause = error.original_error
    if isinstance(cause, Unavailable):
        log.warning("database_unavailable", cause=repr(cause.__cause__), path=error.path)
        return _with_code(error, "UNAVAILABLE", "The service cannot reach its database; try again shortly.")
    if isinstance(cause, GraphQLError) or (cause is None and error.path is None):
        # One of ours, or of the GraphQL language itself: syntax, validation, variables.
        return _with_code(error, str((error.extensions or {}).get("code", "BAD_USER_INPUT")), error.message)
    if error.path is None and error.nodes:
        # Before anything of ours ran: graphql-core could not read a value, as an integer of 5000 digits.
        return _with_code(error, "BAD_USER_INPUT", "A value of the request cannot be read.")
    fault = cause or error
    if id(fault) not in ids:
        ids[id(fault)] = uuid4().hex
        log.error("fault", error_id=ids[id(fault)], path=error.path, exc_info=fault)
    error_id = ids[id(fault)]
    return _with_code(
        error, "INTERNAL", f"Something went wrong on our side; error {error_id}.", errorId=error_id
    )


def _with_code(error: GraphQLError, code: str, message: str, **more: str) -> GraphQLError:
    extensions = {**(error.extensions or {}), "code": code, **more}
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
