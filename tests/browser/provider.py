"""An identity provider that signs everybody in as Maria, and looks closely at what it is asked."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.http.auth.issuer import RSA, token

if TYPE_CHECKING:
    from starlette.requests import Request

    Asked = dict[str, str]

CLIENT_ID = "baton-pages"


@dataclass
class StandIn:
    url: str = ""
    audience: str = "https://baton.example/api"
    expires_in: int = 300
    renews: bool = True
    forges_state: bool = False
    authorized: list[Asked] = field(default_factory=list)
    exchanged: list[Asked] = field(default_factory=list)
    left: list[Asked] = field(default_factory=list)
    _codes: dict[str, Asked] = field(default_factory=dict)
    _refresh_token: str = ""
    _numbers: count[int] = field(default_factory=count)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/logout", self._logout),
            ],
            middleware=[Middleware(CORSMiddleware, allow_origins=["*"])],
        )

    async def _configuration(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "end_session_endpoint": f"{self.url}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [RSA.jwk]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.authorized.append(asked)
        code = f"code-{next(self._numbers)}"
        self._codes[code] = asked
        state = "forged" if self.forges_state else asked["state"]
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': state})}")

    async def _token(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        self.exchanged.append(asked)
        begun = self._codes.pop(asked.get("code", ""), None)
        renewed = self.renews and asked.get("refresh_token") == self._refresh_token != ""
        if begun is None and not renewed:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        if begun is not None:
            digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
            assert begun["code_challenge_method"] == "S256"
            assert begun["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            assert (begun["redirect_uri"], begun["client_id"]) == (asked["redirect_uri"], asked["client_id"])
        number = next(self._numbers)
        self._refresh_token = f"refresh-{number}"
        answer = {
            "access_token": token(iss=self.url, aud=self.audience, jti=str(number)),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": self._refresh_token,
        }
        if begun is not None:
            claims = {"aud": CLIENT_ID, "nonce": begun["nonce"], "roles": None}
            answer["id_token"] = token(header={"typ": "JWT"}, iss=self.url, **claims)
        return JSONResponse(answer)

    async def _logout(self, request: Request) -> Response:
        self.left.append(dict(request.query_params))
        return RedirectResponse(request.query_params["post_logout_redirect_uri"])
