"""Production as it is run: a server of its own, keys over HTTPS, and nothing that development has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from tests.e2e.test_server import OURS, PATIENCE_S, free_port, until
from tests.http.auth.issuer import AUDIENCE, FORGED, ISSUER, RSA, certificate, running, token

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def production(fresh_url, tmp_path) -> Iterator[dict[str, str]]:
    """Its environment, with a provider that runs."""
    files = certificate(tmp_path)
    with running(files) as issuer:
        yield {name: value for name, value in os.environ.items() if name not in OURS} | {
            "APP_ENV": "production",
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": fresh_url,
            "AUTH_JWKS_URL": issuer.url,
            "AUTH_ISSUER": ISSUER,
            "AUTH_AUDIENCE": AUDIENCE,
            "AUTH_ROLE_CLAIM": "realm_access.roles",
            "AUTH_ROLE_MAP": "field-dispatch=dispatcher",
            "SSL_CERT_FILE": str(files[0]),
            "no_proxy": "127.0.0.1",
        }


def doctor(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "app", "doctor"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


def viewer(url: str, given: str) -> Any:
    query, headers = {"query": "{ viewer { subject role } }"}, {"Authorization": f"Bearer {given}"}
    return httpx.post(f"{url}/graphql", json=query, headers=headers)


def test_production_takes_the_providers_tokens_and_no_others(production):
    port = free_port()
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    with subprocess.Popen(command, cwd=CHECKOUT, env=production, stderr=subprocess.DEVNULL) as process:
        try:
            until(ready, "the server is not ready")
            theirs = token(roles=None, realm_access={"roles": ["offline_access", "field-dispatch"]})
            assert viewer(url, theirs).json()["data"] == {
                "viewer": {"subject": "maria", "role": "DISPATCHER"}
            }
            ours = DevelopmentTokens("x" * 32).sign(Role.ADMIN, None, ttl_s=60)
            forged = token(FORGED, header={"kid": RSA.id}, realm_access={"roles": ["field-dispatch"]})
            assert {viewer(url, wrong).status_code for wrong in (ours, forged, token())} == {401}
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def test_the_doctor_asks_the_provider_for_its_keys(production):
    assert f"{ISSUER} signs with rsa (RS256)" in doctor(production)
    del production["SSL_CERT_FILE"]
    said = doctor(production)
    assert "!! The identity provider gives no keys" in said
    assert "CERTIFICATE_VERIFY_FAILED" in said
    del production["AUTH_ISSUER"]
    assert "!! AUTH_ISSUER must be set" in doctor(production)
