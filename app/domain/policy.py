"""Who may do what: the one table of role x action."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType

from app.domain.lifecycle import Action
from app.domain.model import Role


class Reach(Enum):
    """Whose assignments a role may do an action to."""

    NONE = "none"
    OWN = "own"
    ALL = "all"


_NOTHING = dict.fromkeys(Action, Reach.NONE)
_EVERYTHING = dict.fromkeys(Action, Reach.ALL)
_OWN_WORK = dict.fromkeys((Action.ACCEPT, Action.REJECT, Action.START, Action.COMPLETE), Reach.OWN)

MAY = MappingProxyType(
    {
        Role.ADMIN: _EVERYTHING,
        Role.DISPATCHER: _EVERYTHING,
        Role.ENGINEER: _NOTHING | _OWN_WORK,
        Role.AUDITOR: _NOTHING,
    }
)
