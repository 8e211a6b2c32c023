"""What an exception of the driver says of the connection, and of what was asked over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Collection

RETRYABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    # A migration changed a table between two uses of a prepared statement.
    asyncpg.InvalidCachedStatementError,
)
"""The transaction was rolled back since others were in its way; it may be done once more."""
CONNECTION_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The connection is gone, and with it what was not committed. TimeoutError is an OSError, too."""
UNAVAILABLE_ERRORS = (
    *CONNECTION_LOST,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    # A migration, for example, has the table for longer than a request waits.
    asyncpg.LockNotAvailableError,
    # A standby, or a server that was told to take no writes.
    asyncpg.ReadOnlySQLTransactionError,
)
"""This server does not do what is asked now; the connection may live on."""
# Whatever the reason why there is no connection, the request is not to blame for it.
NOT_CONNECTED = (*CONNECTION_LOST, asyncpg.PostgresError)
NOT_YET = (OSError, asyncpg.CannotConnectNowError)
"""A wrong password or name will not come right by itself; these may."""


class Unavailable(Exception):
    """The database did not answer in time, or not at all. Nothing is known to be wrong with the request."""


class OutcomeUnknown(Unavailable):
    """COMMIT was sent, and nothing says whether it happened. Only who can tell a repeat may try again."""


def is_retryable(error: Unavailable) -> bool:
    """Not what is unknown, and not what took its time already."""
    cause = error.__cause__
    return (
        not isinstance(error, OutcomeUnknown)
        and isinstance(cause, CONNECTION_LOST)
        and not isinstance(cause, TimeoutError)
    )


def is_concurrent_insert(error: asyncpg.IntegrityConstraintViolationError, retry_on: Collection[str]) -> bool:
    """Whether a rival's insert was first. `retry_on` are beginnings of names of constraints."""
    if isinstance(error, asyncpg.CheckViolationError):
        # No constraint of a name: the row was on its way to a partition that has just given way to another.
        return error.constraint_name is None
    return (error.constraint_name or "").startswith(tuple(retry_on))


def had_no_effect(error: Exception) -> bool:
    """An ERROR is of a transaction that was rolled back; anything worse ends the session and says nothing."""
    if isinstance(error, asyncpg.PostgresError):
        return error.severity_en == "ERROR"
    return isinstance(error, ValueError)  # an argument that could not be encoded was not sent
