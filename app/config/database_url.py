"""Checks database URLs before the driver does: its errors contain parts of the password."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

_DATABASE_HOST = r"(\[[0-9a-fA-F:.%]+\]|[^\s:,/?#@\[\]]+)(:\d+)?"
# Without the characters that end a part early: in a password that is not encoded, its rest would be a host or
# a port, which error messages contain.
_DATABASE_URL = re.compile(
    rf"postgres(ql)?://([^\s/?#@\[\]]*@)?(?P<hosts>{_DATABASE_HOST}(,{_DATABASE_HOST})*|(:\d+)?)"
    r"(/[^\s/?#@\[\]]*)?(\?(?P<query>[^\s#@]*))?"
)
_MAX_PORT = 65535


def is_database_url(url: str) -> bool:
    """Whether the driver can parse the URL, and finds the same parts as its author."""
    match = _DATABASE_URL.fullmatch(url)
    if match is None:
        return False
    try:
        query = parse_qs(match["query"] or "", strict_parsing=bool(match["query"]))
        ports = re.findall(r":(\d+)(?=,|$)", match["hosts"]) + ",".join(query.get("port", [])).split(",")
        return all(int(port or 1) <= _MAX_PORT for port in ports)
    except ValueError:
        return False
