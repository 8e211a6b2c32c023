"""Which media type a client takes, and which it sends (RFC 9110, 8.3 and 12.5.1)."""

from __future__ import annotations

import re
from functools import lru_cache

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"

_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


@lru_cache(maxsize=256)
def negotiated(accept: str) -> str | None:
    """The answer's media type by an Accept header; None when the client takes neither of ours."""
    if not accept:
        return JSON
    ranges = dict(_range(part) for part in accept.lower().split(","))
    newer, named = _quality(GRAPHQL_RESPONSE, ranges)
    older, _ = _quality(JSON, ranges)
    if max(newer, older) == 0:
        return None
    # Who takes anything may never have heard of the newer type; who names it knows it.
    return GRAPHQL_RESPONSE if newer > older or (newer == older and named) else JSON


@lru_cache(maxsize=256)
def accepts_event_stream(accept: str) -> bool:
    """Only who names the type is ready for a stream."""
    return dict(_range(part) for part in accept.lower().split(",")).get(EVENTS, 0) > 0


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type header says JSON, which is UTF-8 or nothing."""
    essence, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charsets = [p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")]
    return essence == JSON and all(charset == "utf-8" for charset in charsets)


def _quality(media_type: str, ranges: dict[str, float]) -> tuple[float, bool]:
    """From 0, refused, to 1, by the range that names it most closely; and whether that is its full name."""
    for known in (media_type, "application/*", "*/*"):
        if known in ranges:
            return ranges[known], known == media_type
    return 0, False


def _range(part: str) -> tuple[str, float]:
    essence, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            return essence, float(value) if _QUALITY.fullmatch(value) else 0
    return essence, 1
