"""What one operation carries: who asks, the database, and loaders of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import strawberry
from starlette.types import Scope

from app.config import DEFAULT_CURRENCY
from app.db.pool import Database
from app.db.replicas import ReadRoute, ReplicaRouter
from app.domain.model import NO_AUDIT_CONTEXT, Actor, AuditContext, EngineerId
from app.domain.policy import ReadPermission, visible_to
from app.events import Feed
from app.graphql.admission.document_cache import CachedDocument
from app.graphql.admission.rate_limit import RateLimitState
from app.graphql.batching.event_cache import EventResultCache
from app.graphql.batching.loader import Batch
from app.graphql.batching.scheduler import BatchScheduler
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
    event_cache: EventResultCache
    batch_scheduler: BatchScheduler[Batch]
    signed_in: Actor | None
    address: str
    """Of the client, as the server sees it."""
    idempotency_key: str | None = None
    """Of the header, for the one mutation that the request then has."""
    audit_context: AuditContext = NO_AUDIT_CONTEXT
    currency: str = DEFAULT_CURRENCY
    """What all money is in."""
    log_fields: dict[str, Any] = field(default_factory=dict)
    """What will be told to the log."""
    transport: str = "http"
    document_key: tuple[Any, ...] = ()
    """Text, name of the operation, variables."""
    rate_limit: RateLimitState | None = None
    """Once it is paid for: over HTTP, a subscription may be let through a second time, as a stream."""
    document: CachedDocument | None = None
    """The document, once it is let through."""
    replicas: ReplicaRouter | None = None
    seen_position: int | None = None
    """Up to where the client must see; None where nothing but the primary will do."""
    position: int | None = field(default=None, init=False)
    """Up to where it must see from now on, to be told to the client."""
    reads: Database | ReadRoute = field(init=False)
    """What queries read from; after a change, and for events, that is the primary."""
    loaders: Loaders = field(init=False)
    observation: Observation = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.db
        if self.replicas is not None and self.seen_position is not None:
            self.reads = self.replicas.route(self.seen_position)
        self.observation = Observation(self.db.metrics, self.log_fields, self.transport)
        if self.document is not None:
            self._begin_to_load(self.document)

    def set_document(self, document: CachedDocument, *document_key: object) -> None:
        """Know what is asked for before anything is read, and the words."""
        self.document = document
        self.document_key = document_key
        self._begin_to_load(document)

    def close(self) -> None:
        """Nobody waits any longer for what is still being read."""
        if self.document is not None:
            self.loaders.close()

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
    def visible_to(self) -> EngineerId | None:
        """The engineer to whose own tickets the reader is confined; None for one who reads all."""
        return None if self.signed_in is None else visible_to(self.signed_in, ReadPermission.TICKET)

    def reset_loaders(self) -> None:
        """Drop what was read: after a mutation it may be stale, and one request may hold several."""
        self.close()
        if self.document is not None:
            self._begin_to_load(self.document)

    async def reset_after_mutation(self) -> None:
        """What was read may be stale, and standbys may not show yet what was changed."""
        self.reads = self.db
        self.reset_loaders()
        if self.replicas is not None:
            self.position = await self.replicas.current_position()

    def copy(self) -> Context:
        """The same for an event, with loaders of its own, which last until it is ended."""
        return replace(self, replicas=None)

    def _begin_to_load(self, document: CachedDocument) -> None:
        self.loaders = Loaders(self.reads, self.batch_scheduler, document.requested_fields, self.visible_to)


Info = strawberry.Info[Context, None]
