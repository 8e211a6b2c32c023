"""Invalid tokens of all kinds, by the reason that is logged."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from tests.http.auth.issuer import AUDIENCE, EC, FORGED, ISSUER, RSA, token


def seconds_from_now(seconds: int) -> int:
    return int(time.time()) + seconds


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def payload() -> str:
    return token().split(".")[1]


def unsigned(algorithm: object = "none") -> str:
    return f"{part({'alg': algorithm, 'kid': RSA.id, 'typ': 'at+jwt'})}.{payload()}."


def with_public_key_as_secret() -> str:
    """Accepted by servers that let the token choose the algorithm."""
    secret = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'kid': RSA.id, 'typ': 'at+jwt'})}.{payload()}"
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def signed_with(algorithm: str, **header: str) -> str:
    claims = jwt.decode(token(), options={"verify_signature": False})
    return jwt.encode(claims, RSA.private, algorithm=algorithm, headers=header)


def with_other_claims() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{token(roles=['admin']).split('.')[1]}.{signature}"


def development() -> str:
    return DevelopmentTokens("x" * 32).sign(Role.ADMIN, None, ttl_s=60)


def deeply_nested() -> str:
    return f"{base64.urlsafe_b64encode(b'[' * 6000).decode()}.{part({})}.x"


JWT = {"typ": "JWT"}
NO_ROLE = "roles has no role of ours"
NO_ACCESS_TOKEN = "not an access token"  # noqa: S105 - a reason
BY_REASON: dict[str, dict[str, Callable[[], str]]] = {
    "its algorithm is not allowed": {
        "no signature": unsigned,
        "no signature, spelled differently": lambda: unsigned("None"),
        "no algorithm": lambda: unsigned(None),
        "a list of algorithms": lambda: unsigned(["RS256"]),
        "HS256 with the public key": with_public_key_as_secret,
        "another algorithm of the same key": lambda: signed_with("RS512", kid=RSA.id),
        "a development token": development,
    },
    "no key id": {"no key id": lambda: signed_with("RS256")},
    "does not match the key": {"another kind of key": lambda: token(EC, header={"kid": RSA.id})},
    "UnknownKey": {
        "an unknown key": lambda: token(FORGED),
        "x5u": lambda: token(FORGED, header={"x5u": "http://127.0.0.1:9/certificate"}),
    },
    "InvalidSignatureError": {
        "a known key's id, another's signature": lambda: token(FORGED, header={"kid": RSA.id}),
        "the key in the token": lambda: token(FORGED, header={"kid": RSA.id, "jwk": FORGED.jwk}),
        "jku": lambda: token(FORGED, header={"kid": RSA.id, "jku": "http://127.0.0.1:9/keys"}),
        "other claims": with_other_claims,
    },
    "Unsupported critical": {"an unknown critical header": lambda: token(header={"crit": ["x"], "x": 1})},
    "detached_payload": {"a detached payload": lambda: token(header={"crit": ["b64"], "b64": False})},
    "InvalidAudienceError": {
        "another audience": lambda: token(aud="another API"),
        "a longer audience": lambda: token(aud=AUDIENCE + "/"),
        "other audiences": lambda: token(aud=["account", "another API"]),
    },
    "MissingRequiredClaimError('aud')": {
        "no audience": lambda: token(aud=None),
        "an empty audience": lambda: token(aud=[]),
    },
    "InvalidIssuerError": {
        "another issuer": lambda: token(iss="https://evil.example"),
        "an issuer with a trailing slash": lambda: token(iss=ISSUER + "/"),
    },
    "MissingRequiredClaimError('iss')": {"no issuer": lambda: token(iss=None)},
    "MissingRequiredClaimError('sub')": {"no subject": lambda: token(sub=None)},
    "MissingRequiredClaimError('iat')": {"no issue time": lambda: token(iat=None)},
    "MissingRequiredClaimError('exp')": {"no expiry": lambda: token(exp=None)},
    "ExpiredSignatureError": {"expired": lambda: token(exp=seconds_from_now(-31))},
    "not yet valid (nbf)": {"not valid yet": lambda: token(nbf=seconds_from_now(40))},
    "not yet valid (iat)": {"issued in the future": lambda: token(iat=seconds_from_now(40))},
    "(exp) must be an integer": {"an expiry that is not a number": lambda: token(exp="soon")},
    "Error(": {
        "an expiry after year 9999": lambda: token(exp=10**15),
        "an expiry beyond the clock": lambda: token(exp=10**18),
        "an expiry beyond 64 bits": lambda: token(exp=10**30),
    },
    "field='sub'": {
        "an empty subject": lambda: token(sub=""),
        "a subject with a NUL": lambda: token(sub="a\0b"),
        "a subject that is too long": lambda: token(sub="x" * 256),
    },
    "sub has leading or trailing space": {"a subject with a leading space": lambda: token(sub=" maria")},
    "field='jti'": {"a token id with half a surrogate pair": lambda: token(jti="\ud800")},
    NO_ACCESS_TOKEN: {
        "an ID token of Keycloak": lambda: token(header=JWT, typ="ID"),
        "a refresh token of Keycloak": lambda: token(header=JWT, typ="Refresh"),
        "an ID token with a nonce": lambda: token(header=JWT, nonce="n"),
        "an ID token with an access token's hash": lambda: token(header=JWT, at_hash="h"),
        "an ID token of Cognito": lambda: token(header=JWT, token_use="id"),  # noqa: S106 - a kind
        "a logout token": lambda: token(header={"typ": "logout+jwt"}),
        "a DPoP proof": lambda: token(header={"typ": "dpop+jwt"}),
    },
    NO_ROLE: {
        "no role": lambda: token(roles=None),
        "an empty list of roles": lambda: token(roles=[]),
        "an unknown role": lambda: token(roles=["chief"]),
        "a role in capitals": lambda: token(roles="ADMIN"),
        "roles of a wrong type": lambda: token(roles={"admin": True}),
        "a list without strings": lambda: token(roles=[1, ["admin"], None]),
    },
    "engineer_id is missing": {"an engineer without an id": lambda: token(roles=["engineer"])},
    "must be a UUID": {
        "an engineer id that is not a UUID": lambda: token(roles=["engineer"], engineer_id="ENG-1")
    },
    "too long": {"too long": lambda: token(padding="x" * 20_000)},
    "DecodeError": {
        "nothing": lambda: "",
        "not a token": lambda: "x",
        "two parts": lambda: "a.b",
        "nonsense in three parts": lambda: "a.b.c",
        "four parts": lambda: token() + ".x",
        "a header that is not an object": lambda: f"{part(7)}.{part({})}.x",
        "a deeply nested header": deeply_nested,
    },
    "must be a string": {
        "a key id of another type": lambda: f"{part({'alg': 'RS256', 'kid': 7})}.{part({})}."
    },
}
INVALID = {name: make for cases in BY_REASON.values() for name, make in cases.items()}
