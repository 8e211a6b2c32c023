"""Fixtures that call the API over HTTP, as clients do."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.db import connections, sql
from app.domain.model import Role
from app.graphql.admission.limits import Limits
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import authorization, client_of, make_app
from tests.databases import capture_statements

PATIENCE_S = 10
"""Less than the timeout after which the driver gives up on a statement."""


when_compiled = pytest.mark.skipif(
    os.environ.get("COMPILED_EXECUTION") == "0",
    reason="graphql-core coalesces no queries, and its executors need the garbage collector",
)


@dataclass(frozen=True, slots=True)
class Api:
    client: httpx.AsyncClient

    async def __call__(self, query: str, /, **variables: Any) -> Any:
        """Return the data of a response without errors."""
        answer = await self.answer(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def answer(self, query: str, /, **variables: Any) -> Any:
        """Return the whole response."""
        response = await self.client.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 200, response.text
        await asyncio.sleep(0)  # the driver calls its loggers a moment after a statement
        return response.json()


def act_as(api: Api, tokens: DevelopmentTokens, role: Role | None, engineer_id: Any = None) -> None:
    """Set the caller of later requests; nobody is signed in if the role is None."""
    if role is None:
        api.client.headers.pop("Authorization", None)
    else:
        api.client.headers["Authorization"] = f"Bearer {tokens.sign(role, engineer_id, ttl_s=600)}"


@pytest.fixture
def ask(client: httpx.AsyncClient) -> Api:
    return Api(client)


@pytest.fixture
def ask_own(own_client: httpx.AsyncClient) -> Api:
    """Of an application of this test alone, which starts after the fixtures named before this one."""
    return Api(own_client)


@pytest.fixture
async def serve(db, shared_url, tokens) -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """Starts applications with their own limits. The caller is a dispatcher."""
    async with AsyncExitStack() as stack:

        async def start(
            *, production: bool = False, documents: TrustedDocuments | None = None, **limits: Any
        ) -> Api:
            app = make_app(
                shared_url,
                database_pool_size=4,
                limits=Limits(**limits),
                documents=documents,
                app_env="production" if production else "development",
            )
            client = client_of(app, headers=authorization())
            return Api(await stack.enter_async_context(client))

        yield start


@pytest.fixture
def statements(monkeypatch) -> list[str]:
    """The names of the statements that the application sends; request it before the client."""
    sent: list[str] = []
    capture_statements(monkeypatch, lambda text: sent.append(sql.statement_name(text)))
    return sent


@pytest.fixture
def no_statement_timeouts(monkeypatch) -> None:
    for setting in ("lock_timeout", "statement_timeout"):
        monkeypatch.setitem(connections.SESSION_SETTINGS, setting, "0")
