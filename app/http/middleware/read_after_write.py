"""The header Baton-Position: the WAL position that a client must see in its next read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.http.headers import header

if TYPE_CHECKING:
    from starlette.types import Scope

HEADER = "Baton-Position"
_NAME = HEADER.lower().encode()
_POSITION = re.compile(r"\d{1,19}", re.ASCII)


def requested_position(scope: Scope) -> int | None:
    """None if the header is missing or malformed: then the client reads from the primary."""
    text = header(scope, _NAME)
    return int(text) if text and scope["type"] == "http" and _POSITION.fullmatch(text) else None
