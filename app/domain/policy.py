"""The permissions of each role: actions, reads, and access to schema exploration."""

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
    """The root fields of queries and subscriptions."""

    TICKET = "ticket"
    TICKETS = "tickets"
    ASSIGNMENT = "assignment"
    ENGINEER = "engineer"
    ENGINEERS = "engineers"
    VIEWER = "viewer"
    ASSIGNMENT_EVENTS = "assignmentEvents"
    TICKET_EVENTS = "ticketEvents"
    AUDIT_EVENTS = "auditEvents"
    BILLABLE_TIME = "billableTime"
    HOURLY_RATES = "hourlyRates"
    STATISTICS = "statistics"
    SUGGEST_ENGINEERS = "suggestEngineers"


class ExplorePermission(StrEnum):
    """What developers need, for instance in GraphiQL, and other clients do not."""

    SCHEMA = "schema"  # introspection in production
    DOCUMENTS = "documents"  # documents that are not trusted, while only trusted ones are accepted


class Access(Enum):
    """How much of the data an action or a read permits.

    For an action, an engineer's own assignments are those assigned to them. For a note, and for a read,
    an engineer's own tickets are all that were ever assigned to them, with the whole history: it shows what
    was tried before.
    """

    NONE = "none"
    OWN = "own"
    ALL = "all"


_CHANGE_NOTHING = dict.fromkeys(Action, Access.NONE)
_CHANGE_ALL = dict.fromkeys(Action, Access.ALL)
_SET_NO_RATES = {Action.SET_HOURLY_RATE: Access.NONE}
_CHANGE_OWN = dict.fromkeys(
    (Action.ACCEPT, Action.REJECT, Action.START, Action.COMPLETE, Action.ESCALATE, Action.ADD_NOTE),
    Access.OWN,
)
_READ_ALL = dict.fromkeys(ReadPermission, Access.ALL)
# Engineers see hours on their tickets, but not what they cost.
_READ_NO_PRICES = dict.fromkeys((ReadPermission.BILLABLE_TIME, ReadPermission.HOURLY_RATES), Access.NONE)
# Engineers do not choose who is assigned.
_READ_OWN = dict.fromkeys(ReadPermission, Access.OWN) | dict.fromkeys(
    (ReadPermission.SUGGEST_ENGINEERS, ReadPermission.AUDIT_EVENTS), Access.NONE
)
_READ_NO_AUDIT = {ReadPermission.AUDIT_EVENTS: Access.NONE}
_EXPLORE = dict.fromkeys(ExplorePermission, Access.ALL)
_EXPLORE_NOTHING = dict.fromkeys(ExplorePermission, Access.NONE)

PERMISSIONS: Mapping[Role, Mapping[Action | ReadPermission | ExplorePermission, Access]] = MappingProxyType(
    {
        Role.ADMIN: _CHANGE_ALL | _READ_ALL | _EXPLORE,
        Role.DISPATCHER: _CHANGE_ALL | _SET_NO_RATES | _READ_ALL | _READ_NO_AUDIT | _EXPLORE,
        Role.ENGINEER: _CHANGE_NOTHING | _CHANGE_OWN | _READ_OWN | _READ_NO_PRICES | _EXPLORE_NOTHING,
        Role.AUDITOR: _CHANGE_NOTHING | _READ_ALL | _EXPLORE_NOTHING,
    }
)


def visible_to(actor: Actor, permission: ReadPermission) -> EngineerId | None:
    """Return the engineer that reads are restricted to; None if the actor reads everything.

    An engineer without an engineer id in the token reads nothing: NOBODY has no tickets.
    """
    if PERMISSIONS[actor.role][permission] is Access.ALL:
        return None
    return actor.engineer_id or NOBODY


def can_read(actor: Actor, permission: ReadPermission) -> bool:
    """Whether the actor may read at least their own part."""
    return PERMISSIONS[actor.role][permission] is not Access.NONE


def can_explore(actor: Actor | None, permission: ExplorePermission) -> bool:
    """Whether the actor has the permission. `actor` is None without authentication."""
    return actor is not None and PERMISSIONS[actor.role][permission] is Access.ALL


NOBODY = EngineerId(UUID(int=0))
