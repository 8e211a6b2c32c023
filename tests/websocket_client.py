"""A WebSocket client that sends any messages, valid or not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.graphql.transport.websocket import PROTOCOL
from tests.apps import authorization

PATIENCE_S = 20


@dataclass
class WebSocketClient:
    socket: ClientConnection

    async def send(self, *messages: Any) -> None:
        """Send str and bytes unchanged, everything else as JSON."""
        for message in messages:
            raw = message if isinstance(message, str | bytes) else orjson.dumps(message).decode()
            await self.socket.send(raw)

    async def receive(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return orjson.loads(await self.socket.recv())

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes. Returns its code and reason."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed as closed:
            close = closed.rcvd
        assert close is not None, "closed without a close frame"
        return close.code, close.reason

    async def sign_in(self, payload: Any = None) -> None:
        await self.send(
            {"type": "connection_init", "payload": authorization() if payload is None else payload}
        )
        assert await self.receive() == {"type": "connection_ack"}

    async def is_usable(self) -> bool:
        """Whether the connection still executes operations."""
        await self.send(subscribe("probe", "{ __typename }"))
        answers = [await self.receive(), await self.receive()]
        return [answer["type"] for answer in answers if answer["id"] == "probe"] == ["next", "complete"]


def subscribe(name: str, query: str, **variables: Any) -> dict[str, Any]:
    return {"id": name, "type": "subscribe", "payload": {"query": query, "variables": variables}}


@asynccontextmanager
async def open_websocket(
    port: int, *, protocols: tuple[str, ...] = (PROTOCOL,), signed_in: bool = True, **options: Any
) -> AsyncIterator[WebSocketClient]:
    url = f"ws://127.0.0.1:{port}/graphql"
    async with connect(url, subprotocols=list(protocols) or None, proxy=None, **options) as socket:
        ws = WebSocketClient(socket)
        if signed_in:
            await ws.sign_in()
        yield ws
