"""The context of one operation: the caller, the database and the loaders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import strawberry
from starlette.types import Scope

from app.batch_scheduler import BatchScheduler
from app.config import DEFAULT_CURRENCY
from app.db.pool import Database
from app.db.replicas import ReadRoute, ReplicaRouter
from app.domain.lifecycle import DEFAULT_RULES, TicketRules
from app.domain.model import NO_AUDIT_CONTEXT, Actor, AuditContext, EngineerId
from app.domain.policy import ReadPermission, visible_to
from app.events import Feed
from app.graphql.batching.loader import Batch
from app.graphql.errors import Unauthenticated
from app.graphql.loaders import Loaders
from app.graphql.observation import Observation
from app.http.auth.tokens import VerifiedToken

NewContext: TypeAlias = "Callable[[Scope, VerifiedToken | None], Context]"
"""Creates the context of an operation for the caller that is signed in on a connection."""


@dataclass(slots=True)
class Context:
    db: Database
    feed: Feed
    batch_scheduler: BatchScheduler[Batch]
    signed_in: Actor | None
    address: str
    """Of the client, as the server sees it."""
    idempotency_key: str | None = None
    """From the request header, which applies to a single mutation."""
    audit_context: AuditContext = NO_AUDIT_CONTEXT
    currency: str = DEFAULT_CURRENCY
    """Of all amounts of money."""
    rules: TicketRules = DEFAULT_RULES
    log_fields: dict[str, Any] = field(default_factory=dict)
    transport: str = "http"
    replicas: ReplicaRouter | None = None
    seen_position: int | None = None
    """The WAL position that reads must include; None if they must use the primary."""
    requested_fields: frozenset[str] | None = None
    """The names of all fields of the document, in snake case; None until the operation is admitted."""
    position: int | None = field(default=None, init=False)
    """The WAL position that the client's next reads must include. It is sent to the client."""
    replayed: list[str | int] = field(default_factory=list, init=False)
    """The response keys of the mutations that an earlier request with the same key had made."""
    reads: Database | ReadRoute = field(init=False)
    """What queries read from. After a mutation, and for events, this is the primary."""
    loaders: Loaders = field(init=False)
    observation: Observation = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.db
        if self.replicas is not None and self.seen_position is not None:
            self.reads = self.replicas.route(self.seen_position)
        self.observation = Observation(self.db.metrics, self.log_fields, self.transport)
        if self.requested_fields is not None:
            self.create_loaders(self.requested_fields)

    def create_loaders(self, requested_fields: frozenset[str]) -> None:
        self.requested_fields = requested_fields
        self.loaders = Loaders(self.reads, self.batch_scheduler, requested_fields, self.visible_to)

    def close(self) -> None:
        """Stop waiting for what is still being read."""
        if self.requested_fields is not None:
            self.loaders.close()

    @property
    def actor(self) -> Actor:
        """The caller. Raises Unauthenticated if nobody is signed in."""
        if self.signed_in is None:
            raise Unauthenticated
        return self.signed_in

    @property
    def subject(self) -> str:
        """The rate limit's subject: the caller, or the address if nobody is signed in."""
        return f"address {self.address}" if self.signed_in is None else f"subject {self.signed_in.subject}"

    @property
    def visible_to(self) -> EngineerId | None:
        """The engineer to which the caller's reads are limited; None if the caller may read all tickets."""
        return None if self.signed_in is None else visible_to(self.signed_in, ReadPermission.TICKET)

    async def count(
        self,
        reads: Database | ReadRoute,
        query: Callable[..., Awaitable[int]],
        *arguments: object,
        **options: object,
    ) -> int:
        """Call `query` with a connection and the arguments, after other heavy statements of the operation."""
        async with self.loaders.heavy_lock, reads.connection(heavy=True) as conn:
            return await query(conn, *arguments, **options)

    def add_replayed(self, response_key: str | int) -> None:
        if response_key not in self.replayed:
            self.replayed.append(response_key)

    async def reset_after_mutation(self) -> None:
        """Drop what was read, which may be stale, and read from the primary, as replicas may lag behind."""
        self.close()
        self.reads = self.db
        if self.requested_fields is not None:
            self.create_loaders(self.requested_fields)
        if self.replicas is not None:
            self.position = await self.replicas.current_position()

    def copy(self) -> Context:
        """Return a copy for an event, with its own loaders, which the caller must close."""
        return replace(self, replicas=None)


Info = strawberry.Info[Context, None]
