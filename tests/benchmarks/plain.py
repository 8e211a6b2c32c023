"""Plain Strawberry: as in its documentation, with its own dataloaders and caches, and orjson.

It has no authentication, no limits and no masked errors.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import strawberry
import uvicorn
import uvloop
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache

from tests.benchmarks import statements
from tests.benchmarks.operations import decode_key


@dataclass
class Context:
    pool: asyncpg.Pool
    ticket: DataLoader[str, "Ticket | None"]
    engineer: DataLoader[UUID, "Engineer"]
    current: DataLoader[str, "Assignment | None"]
    history: DataLoader[str, list["Assignment"]]


Info = strawberry.Info[Context, None]


@strawberry.type
class Engineer:
    id: strawberry.ID
    name: str


@strawberry.type
class Assignment:
    ticket_id: strawberry.Private[str]
    engineer_id: strawberry.Private[UUID]
    id: strawberry.ID
    assignment_sequence: int
    assignment_tier: int
    assignment_tier_name: str
    assignment_type: str
    status: str
    assigned_at: datetime
    accepted_at: datetime | None
    completed_at: datetime | None
    escalation_reason: str | None
    time_spent_hours: Decimal | None

    @strawberry.field
    async def engineer(self, info: Info) -> Engineer:
        return await info.context.engineer.load(self.engineer_id)


@strawberry.type
class Ticket:
    id: strawberry.ID
    ticket_number: str
    status: str
    priority: str
    customer_name: str | None
    created_at: datetime

    @strawberry.field
    async def current_assignment(self, info: Info) -> Assignment | None:
        return await info.context.current.load(self.id)

    @strawberry.field
    async def assignment_history(self, info: Info) -> list[Assignment]:
        return await info.context.history.load(self.id)


@strawberry.type
class TicketConnection:
    nodes: list[Ticket]


@strawberry.input
class TicketFilter:
    engineer_id: strawberry.ID


@strawberry.type
class Query:
    @strawberry.field
    async def ticket(self, info: Info, id: strawberry.ID) -> Ticket | None:
        return await info.context.ticket.load(id)

    @strawberry.field
    async def tickets(
        self, info: Info, first: int, after: str | None = None, filter: TicketFilter | None = None
    ) -> TicketConnection:
        if after is not None:
            rows = await info.context.pool.fetch(statements.PAGE, first, *decode_key(after))
        elif filter is not None:
            rows = await info.context.pool.fetch(statements.OF_ENGINEER, first, filter.engineer_id)
        else:
            rows = await info.context.pool.fetch(statements.NEWEST, first)
        return TicketConnection(nodes=[Ticket(**row) for row in rows])


class Server(GraphQL[Context, None]):
    def __init__(self, schema: strawberry.Schema, pool: asyncpg.Pool) -> None:
        super().__init__(schema)
        self.pool = pool

    async def get_context(self, *_: Any, **__: Any) -> Context:
        return Context(
            pool=self.pool,
            ticket=at_most_one(self.pool, statements.TICKETS, "id", Ticket),
            engineer=at_most_one(self.pool, statements.ENGINEERS, "id", Engineer),
            current=at_most_one(self.pool, statements.CURRENT, "ticket_id", Assignment),
            history=many(self.pool, statements.HISTORY, "ticket_id", Assignment),
        )

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def at_most_one(
    pool: asyncpg.Pool, statement: str, key: str, type_: Callable[..., Any]
) -> DataLoader[Any, Any]:
    async def batch(keys: Sequence[Any]) -> list[Any]:
        found = {row[key]: type_(**row) for row in await pool.fetch(statement, keys)}
        return [found.get(k) for k in keys]

    return DataLoader(batch)


def many(pool: asyncpg.Pool, statement: str, key: str, type_: Callable[..., Any]) -> DataLoader[Any, Any]:
    async def batch(keys: Sequence[Any]) -> list[Any]:
        found = defaultdict(list)
        for row in await pool.fetch(statement, keys):
            found[row[key]].append(type_(**row))
        return [found[k] for k in keys]

    return DataLoader(batch)


async def serve() -> None:
    schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])
    size = int(os.environ["POOL_SIZE"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size) as pool:
        port = int(os.environ["PORT"])
        config = uvicorn.Config(Server(schema, pool), host="127.0.0.1", port=port, access_log=False)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve())
