"""GraphQL over HTTP: POST, and GET for queries, at one path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from strawberry.asgi import GraphQL

from app.graphql.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send
    from starlette.websockets import WebSocket

    from app.db.pool import Database
    from app.graphql.schema import Schema


class View(GraphQL[Context, None]):
    """`database` is asked for each request: the pool opens after the routes are made."""

    def __init__(self, schema: Schema, database: Callable[[], Database]) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self.run(Request(scope, receive=receive))
        except HTTPException as refused:
            error = {"message": refused.reason, "extensions": {"code": "BAD_USER_INPUT"}}
            response = JSONResponse({"errors": [error]}, status_code=refused.status_code)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        address = "" if request.client is None else request.client.host
        return Context(self._database(), getattr(request.user, "actor", None), address)

    def parse_json(self, data: str | bytes) -> Any:  # noqa: ANN401 - any JSON
        parsed = super().parse_json(data)
        if not isinstance(parsed, dict):
            raise HTTPException(400, "The request must be a JSON object.")
        return parsed

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    def decode_json(self, data: str | bytes) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(data)
