"""Content negotiation (RFC 9110, sections 8.3 and 12.5.1)."""

from __future__ import annotations

import re
from functools import lru_cache

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"

_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


@lru_cache(maxsize=256)
def negotiate(accept: str) -> str | None:
    """Return the media type of the response for an Accept header; None if the client accepts neither."""
    if not accept:
        return JSON
    ranges = dict(_parse_range(part) for part in accept.lower().split(","))
    graphql_quality, is_named = _quality(GRAPHQL_RESPONSE, ranges)
    json_quality, _ = _quality(JSON, ranges)
    if max(graphql_quality, json_quality) == 0:
        return None
    # A client that accepts anything may not know the newer type; one that names it does.
    prefers_newer = graphql_quality > json_quality or (graphql_quality == json_quality and is_named)
    return GRAPHQL_RESPONSE if prefers_newer else JSON


@lru_cache(maxsize=256)
def accepts_event_stream(accept: str) -> bool:
    """Whether the Accept header names text/event-stream; a wildcard is not enough."""
    return dict(_parse_range(part) for part in accept.lower().split(",")).get(EVENTS, 0) > 0


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type header is JSON, in UTF-8 if it has a charset."""
    essence, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charsets = [p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")]
    return essence == JSON and all(charset == "utf-8" for charset in charsets)


def _quality(media_type: str, ranges: dict[str, float]) -> tuple[float, bool]:
    """Return the quality of the most specific range, from 0 to 1, and whether it is the full name."""
    for candidate in (media_type, "application/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate], candidate == media_type
    return 0, False


def _parse_range(part: str) -> tuple[str, float]:
    essence, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            return essence, float(value) if _QUALITY.fullmatch(value) else 0
    return essence, 1
