"""Checks of hosts, origins and URLs."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

HOST = re.compile(r"\*|(\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE | re.ASCII)
# In lower case and without a path, as browsers send it.
ORIGIN = re.compile(r"\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d+)?")


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
