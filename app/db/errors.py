"""Classifies errors of the driver: which are retryable, lose the connection, or leave the outcome unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Collection


class ConcurrentChange(Exception):
    """Rows have changed, or are locked, since the transaction read them."""


RETRYABLE = (
    ConcurrentChange,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    # A migration changed a table between two uses of a prepared statement.
    asyncpg.InvalidCachedStatementError,
)
"""The transaction, or the read, was rolled back because of concurrent ones, and can be retried."""
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
"""The connection is lost, with everything uncommitted. Includes TimeoutError, which is an OSError."""
UNAVAILABLE_ERRORS = (
    *CONNECTION_LOST,
    *RETRYABLE,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    # For example, a migration holds a table lock for longer than a request waits.
    asyncpg.LockNotAvailableError,
    # A standby, or a primary that is set to read-only.
    asyncpg.ReadOnlySQLTransactionError,
)
"""The server cannot execute the statement now; the connection may still be usable."""
CONNECT_ERRORS = (*CONNECTION_LOST, asyncpg.PostgresError, ValueError)
"""Connecting failed, or the URL is one that the driver cannot use. The request did not cause it."""
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the driver raises in a command of the command line that reaches the database itself."""
NOT_READY_ERRORS = (OSError, asyncpg.CannotConnectNowError)
"""The server may be starting. A wrong password or database name is not among them: waiting does not help."""

UNREADABLE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""A stored value cannot be converted. For a time outside `datetime`, the driver raises OverflowError."""
UNREADABLE_ROW_ERRORS = (asyncpg.DataError, *UNREADABLE_ERRORS)
"""As above, or the server itself cannot convert it."""


class Unavailable(Exception):
    """The database did not respond, or not in time; the request itself may be valid."""


class OutcomeUnknown(Unavailable):
    """COMMIT was sent but not confirmed. Retry only if a repeat can be detected."""


def one_line(error: Exception) -> str:
    """Return the message without a full stop.

    Without PostgreSQL's hint, which may suggest to drop the objects that depend on another.
    """
    text = str(error) or type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        text = f"{error.args[0]} DETAIL: {error.detail}" if error.detail else str(error.args[0])
    return " ".join(text.split()).rstrip(".")


_FAULTS = ("42", "54", "XX")
"""Classes of errors that mean a mistake in a trigger, not its judgement: syntax, limits, internal errors."""


def rejection(error: Exception, table: str) -> str | None:
    """Return why a constraint or a trigger of the table rejects a row; None for any other error."""
    if not isinstance(error, asyncpg.PostgresError) or isinstance(error, UNAVAILABLE_ERRORS):
        return None
    # Our own triggers raise violations of a constraint, without a table.
    is_from_trigger = (
        "function" in (error.context or "")
        and (error.sqlstate or "")[:2] not in _FAULTS
        and not (isinstance(error, asyncpg.IntegrityConstraintViolationError) and error.table_name is None)
    )
    return str(error.args[0]).rstrip(".") if is_from_trigger or error.table_name == table else None


def is_retryable(error: Unavailable) -> bool:
    """Whether it was rolled back because of concurrent ones, or the connection was lost before COMMIT.

    Not by a timeout, which has used up the time.
    """
    cause = error.__cause__
    return (
        not isinstance(error, OutcomeUnknown)
        and isinstance(cause, (*CONNECTION_LOST, *RETRYABLE))
        and not isinstance(cause, TimeoutError)
    )


def is_concurrent_insert(error: asyncpg.IntegrityConstraintViolationError, retry_on: Collection[str]) -> bool:
    """Whether a concurrent insert caused the violation. `retry_on` are prefixes of constraint names."""
    if isinstance(error, asyncpg.CheckViolationError):
        # A violation without a constraint: the row's partition was replaced while the row was routed to it.
        return error.constraint_name is None
    return (error.constraint_name or "").startswith(tuple(retry_on))


def is_rollback_certain(error: Exception) -> bool:
    """Whether the statement certainly had no effect.

    Severity ERROR rolls back the transaction; FATAL and PANIC end the session, perhaps after the commit.
    """
    if isinstance(error, asyncpg.PostgresError):
        return error.severity_en == "ERROR"
    return isinstance(error, ValueError)  # an argument could not be encoded, so nothing was sent


def had_no_effect(error: Exception) -> bool:
    """Whether the statement, or what made the database unavailable for it, certainly changed nothing."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    return (
        not isinstance(error, OutcomeUnknown) and isinstance(cause, Exception) and is_rollback_certain(cause)
    )
