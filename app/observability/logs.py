"""Logs: one line for each event, a constant name with data beside it."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import orjson
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_LEVELS = {"INTERNAL": logging.ERROR, "UNAVAILABLE": logging.WARNING, "TIMEOUT": logging.WARNING}


def level_of(code: str | None) -> int:
    """Of a line that tells how a request ended: a client's mistake is nothing to look into."""
    return _LEVELS.get(code or "", logging.INFO)


def set_up(*, production: bool) -> None:
    """JSON lines in production, readable ones in development; of the libraries only warnings."""
    every: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # the id of the request
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
        if production
        # Not the pretty one: it prints local variables, tokens and customers' names among them.
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*every, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(),  # a line in one piece, in half the time of print
        cache_logger_on_first_use=True,
    )
    _route_libraries([*every, structlog.stdlib.add_logger_name], last)


def _json(event: Any, default: Callable[[Any], Any]) -> str:  # noqa: ANN401 - whatever is logged
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:  # half a character of UTF-16, for example: the line matters more than the time
        return json.dumps(event, default=default)


def _route_libraries(every: list[structlog.typing.Processor], last: list[structlog.typing.Processor]) -> None:
    """What uvicorn, asyncio and others log in the standard library's way comes out in ours."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=every,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # What it says of a database that is away, with a traceback for each try, is said for each request.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
