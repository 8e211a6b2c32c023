"""A server in production: keys over HTTPS, and no development sign-in."""

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import environment
from tests.databases import free_port
from tests.http.auth.issuer import AUDIENCE, FORGED, ISSUER, RSA, certificate, running, token
from tests.processes import CHECKOUT, running_app


@pytest.fixture
def production(fresh_url, tmp_path) -> Iterator[dict[str, str]]:
    """The environment of a production server, with a running identity provider."""
    files = certificate(tmp_path)
    with running(files) as issuer:
        yield environment() | {
            "APP_ENV": "production",
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": fresh_url,
            "AUTH_JWKS_URL": issuer.url,
            "AUTH_ISSUER": ISSUER,
            "AUTH_AUDIENCE": AUDIENCE,
            "AUTH_ROLE_CLAIM": "realm_access.roles",
            "AUTH_ROLE_MAP": "field-dispatch=dispatcher",
            "SSL_CERT_FILE": str(files[0]),
            "SHUTDOWN_DRAIN_S": "0",
            "no_proxy": "127.0.0.1",
        }


def doctor(variables: dict[str, str]) -> str:
    command = [sys.executable, "-m", "app", "doctor"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


def viewer(url: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/graphql", json={"query": "{ viewer { subject role } }"}, headers=headers)


def test_production_accepts_only_tokens_of_the_provider(production, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_app("serve", port=port, env=production, output=tmp_path / "output"):
        valid = token(roles=None, realm_access={"roles": ["offline_access", "field-dispatch"]})
        assert viewer(url, valid).json()["data"] == {"viewer": {"subject": "maria", "role": "DISPATCHER"}}
        development = DevelopmentTokens("x" * 32).sign(Role.ADMIN, None, ttl_s=60)
        forged = token(FORGED, header={"kid": RSA.id}, realm_access={"roles": ["field-dispatch"]})
        assert {viewer(url, invalid).status_code for invalid in (development, forged, token())} == {401}


def test_the_doctor_fetches_the_signing_keys(production):
    assert f"{ISSUER} signs with rsa (RS256)" in doctor(production)
    del production["SSL_CERT_FILE"]
    output = doctor(production)
    assert "!! Signing keys cannot be fetched" in output
    assert "CERTIFICATE_VERIFY_FAILED" in output
    del production["AUTH_ISSUER"]
    assert "!! AUTH_ISSUER must be set" in doctor(production)
