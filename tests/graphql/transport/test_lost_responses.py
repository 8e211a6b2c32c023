"""A client that disconnected before the response arrived sends its mutation again."""

import asyncio
import json

import httpx

from app.domain.model import Role
from app.queries import tickets
from tests.commands.world import World
from tests.databases import until_waiting

ASSIGN = """
mutation ($ticket: ID!, $engineer: ID!) {
    assignTicket(input: {ticketId: $ticket, engineerId: $engineer}) { ... on Assignment { id } } }
"""


async def test_a_retry_after_a_disconnect_returns_the_first_result(served, db, make, tokens):
    ticket, engineer = await make.ticket(), str(await make.engineer())
    body = json.dumps({"query": ASSIGN, "variables": {"ticket": ticket, "engineer": engineer}})
    headers = {
        "Authorization": f"Bearer {tokens.sign(Role.DISPATCHER, None, ttl_s=60)}",
        "Content-Type": "application/json",
        "Idempotency-Key": "k",
        "Host": "test",
        "Content-Length": str(len(body)),
    }
    request = "POST /graphql HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in headers.items()
    )
    async with db.transaction() as tx:
        await tickets.lock(tx, ticket)
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(f"{request}\r\n{body}".encode())
        await until_waiting(tx)
        writer.transport.abort()
    async with httpx.AsyncClient(headers=headers) as client:
        responses = [(await client.post(served.url, content=body)).json() for _ in range(2)]
    [assignment] = await World(db).history(ticket)
    assert [response["data"]["assignTicket"]["id"] for response in responses] == [str(assignment.id)] * 2
    assert [event[0] for event in await World(db).events(ticket)] == ["assigned"]
