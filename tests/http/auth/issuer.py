"""An identity provider in this process: signs tokens and serves its keys over HTTP."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://idp.example/realms/field"
AUDIENCE = "https://baton.example/api"
_ALGORITHMS = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


@dataclass(frozen=True)
class Key:
    id: str
    algorithm: str
    private: Any = field(repr=False)

    @property
    def jwk(self) -> dict[str, Any]:
        public = json.loads(_ALGORITHMS[self.algorithm].to_jwk(self.private.public_key()))
        return public | {"kid": self.id, "use": "sig", "alg": self.algorithm}


def rsa_key(key_id: str, bits: int = 2048) -> Key:
    return Key(key_id, "RS256", rsa.generate_private_key(public_exponent=65537, key_size=bits))


RSA, NEXT, FORGED = rsa_key("rsa"), rsa_key("next"), rsa_key("forged")
EC = Key("ec", "ES256", ec.generate_private_key(ec.SECP256R1()))
ED = Key("ed", "EdDSA", ed25519.Ed25519PrivateKey.generate())


def token(key: Key = RSA, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A valid token, with `claims` overriding its own; None omits a claim."""
    now = int(time.time())
    defaults = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "maria",
        "iat": now,
        "exp": now + 300,
        "roles": ["dispatcher"],
    }
    payload = {name: value for name, value in (defaults | claims).items() if value is not None}
    headers = {"kid": key.id, "typ": "at+jwt"} | (header or {})
    return jwt.encode(payload, key.private, algorithm=key.algorithm, headers=headers)


@dataclass
class Issuer:
    """Tests change its response while it runs."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [RSA.jwk])
    body: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.released.set()

    def hold(self) -> None:
        """Block requests until `released` is set."""
        self.released.clear()
        self.reached.clear()

    async def until_requested(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 20)


@contextmanager
def running(tls: tuple[Path, Path] | None = None) -> Iterator[Issuer]:
    """Serve HTTPS if `tls` has the files of a certificate and its key."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests += 1
            issuer.reached.set()
            assert issuer.released.wait(20)
            body = issuer.body if issuer.body is not None else json.dumps({"keys": issuer.keys}).encode()
            self.send_response(issuer.status)
            for name, value in issuer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
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
            issuer.released.set()
            server.shutdown()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1: the files of the certificate and of its key."""
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
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files
