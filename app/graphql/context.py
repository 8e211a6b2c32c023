"""What one operation carries: who asks, the database, and loaders of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import strawberry
from strawberry.utils.str_converters import to_snake_case

from app.db.pool import Database
from app.domain.model import Actor
from app.domain.policy import Reading, only_of
from app.graphql.faults import Unauthenticated
from app.graphql.loaders import Loaders


@dataclass(slots=True)
class Context:
    db: Database
    signed_in: Actor | None
    address: str
    """Of the client, as the server sees it."""
    _asked: frozenset[str] = frozenset()
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self._begin_to_load()

    def begin(self, fields: Iterable[str]) -> None:
        """Know the names of the fields that are asked for before anything is read."""
        self._asked = frozenset(map(to_snake_case, fields))  # as the domain spells them
        self.forget()

    def end(self) -> None:
        """Nobody waits any longer for what is still being read."""
        self.loaders.end()

    @property
    def actor(self) -> Actor:
        """Who asks. Raises Unauthenticated when nobody has signed in."""
        if self.signed_in is None:
            raise Unauthenticated
        return self.signed_in

    @property
    def subject(self) -> str:
        """Who pays for the operation. Those who have not signed in share with others at their address."""
        return f"address {self.address}" if self.signed_in is None else f"subject {self.signed_in.subject}"

    def forget(self) -> None:
        """Drop what was read: after a mutation it may be stale, and one request may hold several."""
        self.end()
        self._begin_to_load()

    def _begin_to_load(self) -> None:
        confined = None if self.signed_in is None else only_of(self.signed_in, Reading.TICKET)
        self.loaders = Loaders(self.db, self._asked, confined)


Info = strawberry.Info[Context, None]
