"""Who may do what, and who may read what: the one table."""

from __future__ import annotations

from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

from app.domain.lifecycle import Action
from app.domain.model import Actor, EngineerId, Role

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReadPermission(StrEnum):
    """What can be read; a root of the API's queries or subscriptions each."""

    TICKET = "ticket"
    TICKETS = "tickets"
    ASSIGNMENT = "assignment"
    ENGINEER = "engineer"
    ENGINEERS = "engineers"
    VIEWER = "viewer"
    ASSIGNMENT_EVENTS = "assignmentEvents"
    BILLABLE_TIME = "billableTime"
    HOURLY_RATES = "hourlyRates"
    STATISTICS = "statistics"
    SUGGEST_ENGINEERS = "suggestEngineers"


class ExplorePermission(StrEnum):
    """What people need who try things out, as in GraphiQL, where other clients are held on a short leash."""

    SCHEMA = "schema"  # introspection, in production
    DOCUMENTS = "documents"  # their own, where only trusted ones are run


class Access(Enum):
    """Whose assignments a role may do an action to, or read.

    An engineer's own tickets are those that the engineer holds or has held, with all of their history:
    who comes next must know what was tried.
    """

    NONE = "none"
    OWN = "own"
    ALL = "all"


_CHANGE_NOTHING = dict.fromkeys(Action, Access.NONE)
_CHANGE_ALL = dict.fromkeys(Action, Access.ALL)
_SET_NO_RATES = {Action.SET_HOURLY_RATE: Access.NONE}
_OWN_WORK = dict.fromkeys((Action.ACCEPT, Action.REJECT, Action.START, Action.COMPLETE), Access.OWN)
_READ_ALL = dict.fromkeys(ReadPermission, Access.ALL)
# What hours cost is between the office and the customer; their hours, engineers see on their tickets.
_READ_NO_PRICES = dict.fromkeys((ReadPermission.BILLABLE_TIME, ReadPermission.HOURLY_RATES), Access.NONE)
# Those who are given work do not choose who is.
_READ_OWN = dict.fromkeys(ReadPermission, Access.OWN) | {ReadPermission.SUGGEST_ENGINEERS: Access.NONE}
_EXPLORE = dict.fromkeys(ExplorePermission, Access.ALL)
_EXPLORE_NOTHING = dict.fromkeys(ExplorePermission, Access.NONE)

PERMISSIONS: Mapping[Role, Mapping[Action | ReadPermission | ExplorePermission, Access]] = MappingProxyType(
    {
        Role.ADMIN: _CHANGE_ALL | _READ_ALL | _EXPLORE,
        Role.DISPATCHER: _CHANGE_ALL | _SET_NO_RATES | _READ_ALL | _EXPLORE,
        Role.ENGINEER: _CHANGE_NOTHING | _OWN_WORK | _READ_OWN | _READ_NO_PRICES | _EXPLORE_NOTHING,
        Role.AUDITOR: _CHANGE_NOTHING | _READ_ALL | _EXPLORE_NOTHING,
    }
)


def visible_to(actor: Actor, reading: ReadPermission) -> EngineerId | None:
    """The engineer to whose own the actor's reading is confined; None when the actor reads all.

    An engineer whose token names none reads what belongs to nobody: nothing.
    """
    if PERMISSIONS[actor.role][reading] is Access.ALL:
        return None
    return actor.engineer_id or NOBODY


def can_read(actor: Actor, reading: ReadPermission) -> bool:
    """Whether there is anything of it for the actor."""
    return PERMISSIONS[actor.role][reading] is not Access.NONE


def can_explore(actor: Actor | None, what: ExplorePermission) -> bool:
    """None is who has not signed in."""
    return actor is not None and PERMISSIONS[actor.role][what] is Access.ALL


NOBODY = EngineerId(UUID(int=0))
