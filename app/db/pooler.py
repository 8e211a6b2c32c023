"""Settings for a pooler in transaction mode, such as PgBouncer.

The pooler assigns a server connection for one transaction, so session state (prepared statements, settings,
LISTEN, advisory locks) would leak to other clients. Statements are not prepared, settings are set for the
role, and LISTEN and migrations connect to the database directly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRACKED = frozenset({"application_name", "timezone"})
"""Settings that PgBouncer applies to each server connection that it assigns."""
_NETWORK_PREFIX = "tcp_"
"""Settings of the network connection to the database, which is the pooler's."""


def connect_options(session_settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the asyncpg options for connections through the pooler."""
    return {
        "server_settings": {name: value for name, value in session_settings.items() if name in _TRACKED},
        # Each statement is parsed again in the same round trip that executes it.
        "statement_cache_size": 0,
    }


def role_settings(session_settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the role must have, because the pooler rejects them in a connection."""
    return {
        name: value
        for name, value in session_settings.items()
        if name not in _TRACKED and not name.startswith(_NETWORK_PREFIX)
    }


def alter_role(role: str, name: str, value: str) -> str:
    """Return the statement that sets it for the role; an administrator has to run it."""
    quoted = role.replace('"', '""')
    # Quotes would make a list of schemas one name with a comma in it.
    literal = value if name == "search_path" else f"'{value}'"
    return f'ALTER ROLE "{quoted}" SET {name} = {literal};'
