"""What the application's lifespan opens, and each request and WebSocket finds in `scope["state"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from starlette.types import Scope

    from app.db.pool import Database
    from app.db.replicas import ReplicaRouter


class LifespanState(TypedDict):
    database: Database
    replicas: ReplicaRouter | None
    """None if no replicas are configured."""


def lifespan_state(scope: Scope) -> LifespanState:
    state: LifespanState = scope["state"]
    return state
