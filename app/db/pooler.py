"""What a pooler in transaction mode, such as PgBouncer, does not carry, and what is done instead.

It lends a connection of the database for one transaction at a time. So what is said of a session reaches
whoever comes next: prepared statements, settings, LISTEN, advisory locks. Settings are the role's instead;
LISTEN and migrations go past the pooler. Of our pool, nothing else is of a session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CARRIED = frozenset({"application_name", "timezone"})
"""Settings that PgBouncer says again to each connection that it lends."""
_OF_THE_LINE = "tcp_"
"""Settings of the line to the database, which is the pooler's."""


def options(session: Mapping[str, str]) -> dict[str, Any]:
    """Of asyncpg's connections, where one that speaks to the database itself would have this `session`."""
    return {
        "server_settings": {name: value for name, value in session.items() if name in _CARRIED},
        # Each statement is then parsed again in the round trip that executes it.
        "statement_cache_size": 0,
    }


def of_the_role(session: Mapping[str, str]) -> dict[str, str]:
    """What the role must bring, because the pooler refuses it."""
    return {
        name: value
        for name, value in session.items()
        if name not in _CARRIED and not name.startswith(_OF_THE_LINE)
    }


def alter_role(role: str, name: str, value: str) -> str:
    """The statement with which an administrator gives it to the role."""
    quoted = role.replace('"', '""')
    # A list of names is not one name with a comma in it.
    listed = value if name == "search_path" else f"'{value}'"
    return f'ALTER ROLE "{quoted}" SET {name} = {listed};'
