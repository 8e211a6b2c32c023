"""How a client says up to where it must see, and is told: the header Baton-Position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.http.headers import header

if TYPE_CHECKING:
    from starlette.types import Scope

HEADER = "Baton-Position"
_NAME = HEADER.lower().encode()
_FORM = re.compile(r"\d{1,19}", re.ASCII)


def requested_position(scope: Scope) -> int | None:
    """None where the client names none, or nothing that we told: then nothing but the newest will do."""
    text = header(scope, _NAME)
    return int(text) if text and scope["type"] == "http" and _FORM.fullmatch(text) else None
