"""Checks of hosts, origins and URLs."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qs, urlsplit

HOST = re.compile(r"\*|(\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE | re.ASCII)
# In lower case and without a path, as browsers send it.
ORIGIN = re.compile(r"\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d+)?")

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


def is_secure(url: str, *, production: bool) -> bool:
    """Whether the response is safe from attackers on the network: https, or loopback in development."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and not production and is_loopback(host))
    )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
