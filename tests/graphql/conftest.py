"""How tests speak to the API: over HTTP, as clients do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest


@dataclass(frozen=True, slots=True)
class Api:
    client: httpx.AsyncClient

    async def __call__(self, query: str, /, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = await self.answer(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def answer(self, query: str, /, **variables: Any) -> Any:
        """The whole answer, errors and all."""
        response = await self.client.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def ask(client: httpx.AsyncClient) -> Api:
    return Api(client)
