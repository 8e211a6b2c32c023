"""What one operation carries: who asks, the database, and loaders of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import strawberry

from app.db.pool import Database
from app.domain.model import Actor
from app.graphql.faults import Unauthenticated
from app.graphql.loaders import Loaders


@dataclass(slots=True)
class Context:
    db: Database
    signed_in: Actor | None
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget()

    @property
    def actor(self) -> Actor:
        """Who asks. Raises Unauthenticated when nobody has signed in."""
        if self.signed_in is None:
            raise Unauthenticated
        return self.signed_in

    def forget(self) -> None:
        """Drop what was read: after a mutation it may be stale, and one request may hold several."""
        self.loaders = Loaders(self.db)


Info = strawberry.Info[Context, None]
