"""An identity provider that signs everybody in as Maria and validates the requests."""

import base64
import hashlib
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.http.auth.issuer import RSA, token

Params = dict[str, str]

CLIENT_ID = "baton-pages"


@dataclass
class FakeProvider:
    url: str = ""
    audience: str = "https://baton.example/api"
    expires_in: int = 300
    accepts_refresh: bool = True
    forges_state: bool = False
    authorization_requests: list[Params] = field(default_factory=list)
    token_requests: list[Params] = field(default_factory=list)
    logout_requests: list[Params] = field(default_factory=list)
    _codes: dict[str, Params] = field(default_factory=dict)
    _refresh_token: str = ""
    _numbers: "count[int]" = field(default_factory=count)

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
        params = dict(request.query_params)
        self.authorization_requests.append(params)
        code = f"code-{next(self._numbers)}"
        self._codes[code] = params
        state = "forged" if self.forges_state else params["state"]
        return RedirectResponse(f"{params['redirect_uri']}?{urlencode({'code': code, 'state': state})}")

    async def _token(self, request: Request) -> Response:
        params = dict(parse_qsl((await request.body()).decode()))
        self.token_requests.append(params)
        authorization = self._codes.pop(params.get("code", ""), None)
        is_refresh = self.accepts_refresh and params.get("refresh_token") == self._refresh_token != ""
        if authorization is None and not is_refresh:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        if authorization is not None:
            digest = hashlib.sha256(params["code_verifier"].encode()).digest()
            assert authorization["code_challenge_method"] == "S256"
            assert authorization["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            assert authorization["redirect_uri"] == params["redirect_uri"]
            assert authorization["client_id"] == params["client_id"]
        number = next(self._numbers)
        self._refresh_token = f"refresh-{number}"
        tokens = {
            "access_token": token(iss=self.url, aud=self.audience, jti=str(number)),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": self._refresh_token,
        }
        if authorization is not None:
            claims = {"aud": CLIENT_ID, "nonce": authorization["nonce"], "roles": None}
            tokens["id_token"] = token(header={"typ": "JWT"}, iss=self.url, **claims)
        return JSONResponse(tokens)

    async def _logout(self, request: Request) -> Response:
        self.logout_requests.append(dict(request.query_params))
        return RedirectResponse(request.query_params["post_logout_redirect_uri"])
