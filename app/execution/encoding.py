"""Encodes the long lists of a response in pieces, so that other tasks run in between."""

from __future__ import annotations

from asyncio import sleep
from typing import Any

import orjson

from app.execution.waiting import in_pieces, is_long


async def encode_long_lists(value: Any) -> Any:  # noqa: ANN401 - any part of a response
    """Return the value; each long list in it is replaced by its JSON."""
    if isinstance(value, list) and is_long(value):
        pieces = [orjson.dumps(piece)[1:-1] async for piece in in_pieces(value)]
        encoded = orjson.Fragment(b"[%b]" % b",".join(pieces))
        await sleep(0)
        return encoded
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list):
                value[key] = await encode_long_lists(item)
    return value
