"""Logs: one line per event, a constant name with key-value data."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_Processors: TypeAlias = "list[structlog.typing.Processor]"
_LEVEL_BY_CODE = {"INTERNAL": logging.ERROR, "UNAVAILABLE": logging.WARNING, "TIMEOUT": logging.WARNING}


def level_of(code: str | None) -> int:
    """The level for the outcome of a request: a client's error is only `info`."""
    return _LEVEL_BY_CODE.get(code or "", logging.INFO)


def set_up(*, production: bool) -> None:
    """Log JSON in production and readable lines in development; libraries log warnings only."""
    common: _Processors = [
        structlog.contextvars.merge_contextvars,  # the request id
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: _Processors = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
        if production
        # The pretty formatter prints local variables, which may contain tokens and personal data.
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*common, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(),  # writes a line at once, twice as fast as print
        cache_logger_on_first_use=True,
    )
    _route_libraries([*common, structlog.stdlib.add_logger_name], rendering)


def _json(event: Any, default: Callable[[Any], Any]) -> str:  # noqa: ANN401 - whatever is logged
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:  # half a surrogate pair, for example: rare, so the slower encoder may handle it
        return json.dumps(event, default=default)


def _route_libraries(common: _Processors, rendering: _Processors) -> None:
    """Format what libraries log with the standard library in the same way."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # It logs each failed connection with a traceback; the access log has the failed requests.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
