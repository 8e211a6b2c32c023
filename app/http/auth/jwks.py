"""The public keys of the identity provider: fetched, cached and refreshed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson
import structlog
from jwt import PyJWK, PyJWTError

if TYPE_CHECKING:
    from http.client import HTTPResponse

log = structlog.get_logger()

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""Allowed signature algorithms. The token's own header does not decide."""

FRESH_S = 300
STALE_S = 24 * 60 * 60
"""How long cached keys are used while the provider is unavailable."""
COOLDOWN_S = 10
"""Minimum time between two fetches."""
_WAIT_S = 5
_FETCH_TIMEOUT_S = 5
_SOCKET_TIMEOUT_S = 3
_MAX_BYTES = 256 * 1024


class KeysUnavailable(Exception):
    """The provider's keys cannot be fetched, so a token can be neither accepted nor rejected."""


class UnknownKey(Exception):
    """The provider has no key with this id."""


@dataclass(slots=True)
class SigningKeys:
    """Fetches one at a time, in a thread; concurrent callers wait for the same fetch."""

    url: str
    clock: Callable[[], float] = time.monotonic
    _by_id: dict[str, PyJWK] = field(default_factory=dict, init=False)
    _fetched_at: float = field(default=-math.inf, init=False)
    _requested_at: float = field(default=-math.inf, init=False)
    _refresh_task: asyncio.Task[None] | None = field(default=None, init=False)

    async def find(self, key_id: str) -> PyJWK:
        """Raises UnknownKey or KeysUnavailable."""
        if key_id not in self._by_id or self._age_s() >= STALE_S:
            await self._refresh(wait=True)
        elif self._age_s() >= FRESH_S:
            # Wait, because the key may have been revoked; but not while the provider is unavailable.
            await self._refresh(wait=not self._is_unconfirmed)
        if self._age_s() < STALE_S and key_id in self._by_id:
            return self._by_id[key_id]
        if self._is_unconfirmed:
            raise KeysUnavailable
        raise UnknownKey(key_id)

    def _age_s(self) -> float:
        return self.clock() - self._fetched_at

    @property
    def _is_unconfirmed(self) -> bool:
        """Whether the latest fetch has failed or is still in progress."""
        return self._fetched_at < self._requested_at

    async def _refresh(self, *, wait: bool) -> None:
        if self._refresh_task is None and self.clock() - self._requested_at >= COOLDOWN_S:
            self._requested_at = self.clock()
            self._refresh_task = asyncio.create_task(self._fetch())
        if self._refresh_task is not None and wait:
            # Not wait_for, which would cancel the fetch for the other callers.
            await asyncio.wait({self._refresh_task}, timeout=_WAIT_S)

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(fetch, self.url)
        except KeysUnavailable as error:
            log.warning(
                "signing_keys_unavailable", cause=str(error), age_s=self._age_s() if self._by_id else None
            )
        else:
            if keys.keys() != self._by_id.keys():
                log.info("signing_keys_changed", key_ids=sorted(keys))
            self._by_id, self._fetched_at = keys, self.clock()
        finally:
            self._refresh_task = None


def fetch(url: str) -> dict[str, PyJWK]:
    """Fetch the usable keys by id, at least one. Blocks. Raises KeysUnavailable with the reason."""
    try:
        jwks = orjson.loads(_get(url))["keys"]
        keys = {key.key_id: key for key in map(_usable_key, jwks) if key is not None and key.key_id}
    except HTTPError as error:
        error.close()
        raise KeysUnavailable(f"it responds with status {error.code}") from error
    except (OSError, HTTPException) as error:
        raise KeysUnavailable(str(error) or type(error).__name__) from error
    except (LookupError, TypeError, ValueError) as error:
        raise KeysUnavailable("it does not respond with a JSON Web Key Set") from error
    if not keys:
        raise KeysUnavailable(f"no key has an id and signs with {', '.join(ALGORITHMS)}")
    return keys


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Return None: keys are accepted only from the configured URL."""


def _get(url: str) -> bytes:
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "baton"})  # noqa: S310 - the settings allow http and https only
    deadline = time.monotonic() + _FETCH_TIMEOUT_S
    body = b""
    response: HTTPResponse
    with build_opener(_NoRedirects).open(request, timeout=_SOCKET_TIMEOUT_S) as response:
        while chunk := response.read1(_MAX_BYTES):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise OSError(f"it sends more than {_MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError("it takes too long")
    return body


def _usable_key(jwk: Any) -> PyJWK | None:  # noqa: ANN401 - any JSON
    """None unless it is a public signing key of an allowed algorithm and length: key sets contain others."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    if not isinstance(jwk.get("kid"), str):
        return None
    try:
        key = PyJWK(jwk)
    except (PyJWTError, LookupError, TypeError, ValueError):
        return None
    is_weak = key.algorithm_name not in ALGORITHMS or key.Algorithm.check_key_length(key.key)
    return None if is_weak else key
