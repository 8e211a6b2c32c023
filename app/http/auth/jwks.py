"""The public keys of the identity provider: fetched, kept, renewed."""

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
"""What a token may be signed with: ours to say, never the token's."""

FRESH_S = 300
STALE_S = 24 * 60 * 60
"""How long keys serve that the provider no longer confirms because it is down."""
COOLDOWN_S = 10
"""From one fetch to the next at least, whatever tokens come."""
_PATIENCE_S = 5
_DEADLINE_S = 5
_TIMEOUT_S = 3
_MAX_BYTES = 256 * 1024


class KeysUnavailable(Exception):
    """The provider does not give its keys. Nothing is known to be wrong with the token."""


class UnknownKey(Exception):
    """The provider has no key of this id."""


@dataclass(slots=True)
class SigningKeys:
    """One fetch at a time, on a thread of its own; everybody who needs it waits for the same one."""

    url: str
    clock: Callable[[], float] = time.monotonic
    _by_id: dict[str, PyJWK] = field(default_factory=dict, init=False)
    _fetched_at: float = field(default=-math.inf, init=False)
    _asked_at: float = field(default=-math.inf, init=False)
    _renewal: asyncio.Task[None] | None = field(default=None, init=False)

    async def find(self, key_id: str) -> PyJWK:
        """Raises UnknownKey or KeysUnavailable."""
        if key_id not in self._by_id or self._age_s() >= STALE_S:
            await self._renew(wait=True)
        elif self._age_s() >= FRESH_S:
            # One waits for the answer, for a key may have been withdrawn; while the provider is down, nobody.
            await self._renew(wait=not self._unanswered)
        if self._age_s() < STALE_S and key_id in self._by_id:
            return self._by_id[key_id]
        if self._unanswered:
            raise KeysUnavailable
        raise UnknownKey(key_id)

    def _age_s(self) -> float:
        return self.clock() - self._fetched_at

    @property
    def _unanswered(self) -> bool:
        """Whether the latest fetch has failed, or is still under way."""
        return self._fetched_at < self._asked_at

    async def _renew(self, *, wait: bool) -> None:
        if self._renewal is None and self.clock() - self._asked_at >= COOLDOWN_S:
            self._asked_at = self.clock()
            self._renewal = asyncio.create_task(self._ask())
        if self._renewal is not None and wait:
            # Not wait_for: who gives up must not cancel it for the others.
            await asyncio.wait({self._renewal}, timeout=_PATIENCE_S)

    async def _ask(self) -> None:
        try:
            found = await asyncio.to_thread(fetch, self.url)
        except KeysUnavailable as error:
            log.warning(
                "signing_keys_unavailable", cause=str(error), age_s=self._age_s() if self._by_id else None
            )
        else:
            if found.keys() != self._by_id.keys():
                log.info("signing_keys_changed", key_ids=sorted(found))
            self._by_id, self._fetched_at = found, self.clock()
        finally:
            self._renewal = None


def fetch(url: str) -> dict[str, PyJWK]:
    """The usable keys by their ids, at least one. Blocks. Raises KeysUnavailable, which says why."""
    try:
        listed = orjson.loads(_get(url))["keys"]
        found = {key.key_id: key for key in map(_usable, listed) if key is not None and key.key_id}
    except HTTPError as error:
        error.close()
        raise KeysUnavailable(f"it answers {error.code}") from error
    except (OSError, HTTPException) as error:
        raise KeysUnavailable(str(error) or type(error).__name__) from error
    except (LookupError, TypeError, ValueError) as error:
        raise KeysUnavailable("it does not answer with a JSON Web Key Set") from error
    if not found:
        raise KeysUnavailable(f"none of its keys has an id and is for signing with {', '.join(ALGORITHMS)}")
    return found


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Keys come from where the settings say, or not at all."""


def _get(url: str) -> bytes:
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "baton"})  # noqa: S310 - the settings allow http and https only
    give_up_at = time.monotonic() + _DEADLINE_S
    body = b""
    response: HTTPResponse
    with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_S) as response:
        while chunk := response.read1(_MAX_BYTES):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise OSError(f"it sends more than {_MAX_BYTES} bytes")
            if time.monotonic() > give_up_at:
                raise TimeoutError("it takes too long")
    return body


def _usable(listed: Any) -> PyJWK | None:  # noqa: ANN401 - any JSON
    """A public key for signatures of ours, strong enough; else None: providers list others beside them."""
    if not isinstance(listed, dict) or listed.get("use", "sig") != "sig" or "d" in listed:
        return None
    if not isinstance(listed.get("kid"), str):
        return None
    try:
        key = PyJWK(listed)
    except (PyJWTError, LookupError, TypeError, ValueError):
        return None
    is_weak = key.algorithm_name not in ALGORITHMS or key.Algorithm.check_key_length(key.key)
    return None if is_weak else key
