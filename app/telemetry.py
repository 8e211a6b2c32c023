"""Logs: one line for each event, a constant name with data beside it."""

from __future__ import annotations

import logging

import structlog


def set_up(*, production: bool) -> None:
    """JSON lines in production, readable ones in development; of the libraries only warnings."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # What it says of a database that is away, with a traceback for each try, is said for each request.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if production
        # Not the pretty one: it prints local variables, tokens and customers' names among them.
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,  # the id of the request
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
