"""What one operation carries: who asks, the database, and loaders of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import strawberry
from starlette.types import Scope

from app.config import DEFAULT_CURRENCY
from app.db.pool import Database
from app.db.replicas import Reading as StandbyReading
from app.db.replicas import Standbys
from app.domain.model import UNKNOWN_ORIGIN, Actor, EngineerId, Origin
from app.domain.policy import Reading, only_of
from app.events import Feed
from app.graphql.admission.document_cache import Known
from app.graphql.admission.rate_limit import Account
from app.graphql.batching.event_cache import Shared
from app.graphql.batching.loader import Gathering
from app.graphql.errors import Unauthenticated
from app.graphql.loaders import Loaders
from app.graphql.observation import Observation
from app.http.auth.tokens import Verified

NewContext: TypeAlias = "Callable[[Scope, Verified | None], Context]"
"""Makes what an operation carries, for whoever is signed in on a connection."""


@dataclass(slots=True)
class Context:
    db: Database
    feed: Feed
    shared: Shared
    gathering: Gathering
    signed_in: Actor | None
    address: str
    """Of the client, as the server sees it."""
    idempotency_key: str | None = None
    """Of the header, for the one mutation that the request then has."""
    origin: Origin = UNKNOWN_ORIGIN
    currency: str = DEFAULT_CURRENCY
    """What all money is in."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What will be told to the log."""
    transport: str = "http"
    words: tuple[Any, ...] = ()
    """Text, name of the operation, variables."""
    account: Account | None = None
    """Once it is paid for: over HTTP, a subscription may be let through a second time, as a stream."""
    known: Known | None = None
    """The document, once it is let through."""
    standbys: Standbys | None = None
    seen_position: int | None = None
    """Up to where the client must see; None where nothing but the primary will do."""
    position: int | None = field(default=None, init=False)
    """Up to where it must see from now on, to be told to the client."""
    reads: Database | StandbyReading = field(init=False)
    """What queries read from; after a change, and for events, that is the primary."""
    loaders: Loaders = field(init=False)
    observation: Observation = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.db
        if self.standbys is not None and self.seen_position is not None:
            self.reads = self.standbys.reading(self.seen_position)
        self.observation = Observation(self.db.metrics, self.facts, self.transport)
        if self.known is not None:
            self._begin_to_load(self.known)

    def begin(self, known: Known, *words: object) -> None:
        """Know what is asked for before anything is read, and the words."""
        self.known = known
        self.words = words
        self._begin_to_load(known)

    def end(self) -> None:
        """Nobody waits any longer for what is still being read."""
        if self.known is not None:
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

    @property
    def confined_to(self) -> EngineerId | None:
        """The engineer to whose own tickets the reader is confined; None for one who reads all."""
        return None if self.signed_in is None else only_of(self.signed_in, Reading.TICKET)

    def forget(self) -> None:
        """Drop what was read: after a mutation it may be stale, and one request may hold several."""
        self.end()
        if self.known is not None:
            self._begin_to_load(self.known)

    async def has_changed(self) -> None:
        """What was read may be stale, and standbys may not show yet what was changed."""
        self.reads = self.db
        self.forget()
        if self.standbys is not None:
            self.position = await self.standbys.position()

    def afresh(self) -> Context:
        """The same for an event, with loaders of its own, which last until it is ended."""
        return replace(self, standbys=None)

    def _begin_to_load(self, known: Known) -> None:
        self.loaders = Loaders(self.reads, self.gathering, known.asked, self.confined_to)


Info = strawberry.Info[Context, None]
