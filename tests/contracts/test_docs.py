"""The documentation of settings is complete and correct."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app import config
from app.http.auth.claims import is_access_token
from app.http.auth.tokens import ProviderTokens, authenticator_for

DOCS = Path(__file__).parents[2] / "docs"
SIGN_IN = (DOCS / "sign-in.md").read_text(encoding="utf-8")
RELIABILITY = (DOCS / "reliability.md").read_text(encoding="utf-8")
SETTINGS = {f.name.upper(): f.default for f in fields(config.Settings)}
OTHERS = {"SSL_CERT_FILE"}
# The token that each provider issues for an engineer who is an auditor, too.
TOKENS = {
    "Keycloak": (
        {"typ": "JWT"},
        {
            "typ": "Bearer",
            "realm_access": {"roles": ["offline_access", "baton-audit", "baton-engineer"]},
            "engineer_id": "0190d3a4-5b6c-7d8e-9f01-23456789abcd",
        },
    ),
    "Auth0": (
        {"typ": "at+jwt"},
        {
            "https://baton.example.com/roles": ["auditor", "engineer"],
            "https://baton.example.com/engineer_id": "0190d3a4-5b6c-7d8e-9f01-23456789abcd",
        },
    ),
}


def test_sign_in_settings_are_documented():
    documented = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", SIGN_IN)) - OTHERS
    assert documented - SETTINGS.keys() == set()
    assert {name for name in SETTINGS if name.startswith("AUTH_")} - documented == set()


def test_sign_in_defaults_are_documented():
    documented = re.findall(r"^\| `(\w+)` \|.*\| `(.+)` \|$", SIGN_IN, re.MULTILINE)
    assert dict(documented) == {
        "AUTH_ROLE_CLAIM": "roles",
        "AUTH_ENGINEER_CLAIM": "engineer_id",
        "AUTH_SCOPES": "openid",
    }
    assert {name: SETTINGS[name] for name, _ in documented} == dict(documented)


def test_database_timeouts_are_documented():
    documented = re.findall(r"^\| `(DATABASE_\w+)` \| `(\d+)` \|", RELIABILITY, re.MULTILINE)
    assert {name: int(default) for name, default in documented} == {
        name: default for name, default in SETTINGS.items() if name.endswith("_TIMEOUT_S")
    }


@pytest.mark.parametrize("provider", TOKENS)
def test_documented_settings_of_each_provider_read_its_tokens(provider):
    chapter = SIGN_IN.split(f"## {provider}\n")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^(\w+)=(.+)$", chapter, re.MULTILINE))
    assert documented.keys() <= SETTINGS.keys()
    authenticator = authenticator_for(config.load(documented))
    assert isinstance(authenticator, ProviderTokens)
    header, claims = TOKENS[provider]
    assert is_access_token(header, claims)
    actor = authenticator.claim_mapping.actor({"sub": "s"} | claims)
    assert (actor.role, str(actor.engineer_id)) == ("engineer", "0190d3a4-5b6c-7d8e-9f01-23456789abcd")
