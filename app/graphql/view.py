"""GraphQL over HTTP: POST, and GET for queries, at one path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from strawberry.asgi import GraphQL

from app.graphql.context import Context
from app.graphql.schema import schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from app.db.pool import Database


class View(GraphQL[Context, None]):
    """`database` is asked for each request: the pool opens after the routes are made."""

    def __init__(self, database: Callable[[], Database]) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._database = database

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        return Context(self._database(), getattr(request.user, "actor", None))

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    def decode_json(self, data: str | bytes) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(data)
