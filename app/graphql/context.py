"""What one operation carries: who asks, the database, and loaders of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry
from graphql import DocumentNode, FieldNode, Visitor, visit
from starlette.requests import HTTPConnection
from strawberry.utils.str_converters import to_snake_case

from app.db.pool import Database
from app.domain.model import Actor
from app.domain.policy import Reading, only_of
from app.feed import Feed
from app.graphql.faults import Unauthenticated
from app.graphql.loaders import Loaders
from app.web.auth import Verified

NewContext: TypeAlias = "Callable[[HTTPConnection, Verified | None], Context]"
"""Makes what an operation carries, for whoever is signed in on a connection."""


@dataclass(slots=True)
class Context:
    db: Database
    feed: Feed
    signed_in: Actor | None
    address: str
    """Of the client, as the server sees it."""
    _asked: frozenset[str] = frozenset()
    loaders: Loaders = field(init=False)

    def begin(self, document: DocumentNode) -> None:
        """Know which fields are asked for before anything is read."""
        names = _FieldNames()
        visit(document, names)
        self._asked = frozenset(names.found)
        self.forget()

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
        confined = None if self.signed_in is None else only_of(self.signed_in, Reading.TICKET)
        self.loaders = Loaders(self.db, self._asked, confined)


class _FieldNames(Visitor):
    """The names of all fields of a document, fragments included: snake case, as the domain spells them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.found.add(to_snake_case(node.name.value))


Info = strawberry.Info[Context, None]
