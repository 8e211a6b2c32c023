"""An identity provider in this process: keys of its own, listed over HTTP, and every way to be wrong."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ISSUER = "https://idp.example/realms/field"
AUDIENCE = "https://baton.example/api"
_LISTS = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


@dataclass(frozen=True)
class Key:
    id: str
    algorithm: str
    private: Any = field(repr=False)

    @property
    def listed(self) -> dict[str, Any]:
        public = json.loads(_LISTS[self.algorithm].to_jwk(self.private.public_key()))
        return public | {"kid": self.id, "use": "sig", "alg": self.algorithm}


def rsa_key(key_id: str, bits: int = 2048) -> Key:
    return Key(key_id, "RS256", rsa.generate_private_key(public_exponent=65537, key_size=bits))


RSA, NEXT, FORGED = rsa_key("rsa"), rsa_key("next"), rsa_key("forged")
EC = Key("ec", "ES256", ec.generate_private_key(ec.SECP256R1()))
ED = Key("ed", "EdDSA", ed25519.Ed25519PrivateKey.generate())


def token(key: Key = RSA, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A good one, unless `claims` say otherwise; a claim that is None is left out."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "maria",
        "iat": now,
        "exp": now + 300,
        "roles": ["dispatcher"],
    }
    given = {name: value for name, value in (good | claims).items() if value is not None}
    headers = {"kid": key.id, "typ": "at+jwt"} | (header or {})
    return jwt.encode(given, key.private, algorithm=key.algorithm, headers=headers)


@dataclass
class Issuer:
    """What it answers may be changed while it runs."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [RSA.listed])
    body: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    answers: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    def hold(self) -> None:
        """From now on, whoever asks waits until `answers` is set."""
        self.answers.clear()
        self.reached.clear()

    async def is_asked(self) -> None:
        """Returns when somebody waits for an answer."""
        assert await asyncio.to_thread(self.reached.wait, 20)


@contextmanager
def running(tls: tuple[Path, Path] | None = None) -> Iterator[Issuer]:
    """Over HTTPS with a certificate and its key."""
    issuer = Issuer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            issuer.reached.set()
            assert issuer.answers.wait(20)
            body = issuer.body if issuer.body is not None else json.dumps({"keys": issuer.keys}).encode()
            self.send_response(issuer.status)
            for name, value in issuer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        issuer.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}/keys"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield issuer
        finally:
            issuer.answers.set()
            server.shutdown()


def certificate(folder: Path) -> tuple[Path, Path]:
    """For 127.0.0.1, signed by itself: the files of the certificate and of its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
