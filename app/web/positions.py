"""How a client says up to where it must see, and is told: the header Baton-Position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

HEADER = "Baton-Position"
_FORM = re.compile(r"\d{1,19}", re.ASCII)


def named(connection: HTTPConnection) -> int | None:
    """None where the client names none, or nothing that we told: then nothing but the newest will do."""
    text = connection.headers.get(HEADER, "")
    return int(text) if connection.scope["type"] == "http" and _FORM.fullmatch(text) else None
