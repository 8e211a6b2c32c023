"""The GraphQL schema."""

from __future__ import annotations

from functools import cache

import strawberry

from app.graphql.mutation import Mutation
from app.graphql.query import Query
from app.graphql.subscription import Subscription
from app.graphql.types.ticket_event import EVENT_TYPES


@cache
def build_schema() -> strawberry.Schema:
    """Build the schema, once per process: it takes some tenths of a second."""
    return strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription, types=EVENT_TYPES)


def sdl() -> str:
    """Return the text of schema.graphql, the contract with clients."""
    return build_schema().as_str() + "\n"
