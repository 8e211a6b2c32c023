"""Reads the settings from environment variables, and checks them."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import sys
from dataclasses import Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.config.database_url import is_database_url
from app.config.settings import ORIGIN, Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURRENCY = re.compile("[A-Z]{3}")
_MIN_SECRET_LENGTH = 32  # RFC 7518, section 3.2


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError for the first invalid setting. An empty variable counts as unset."""
    values = {
        setting.name: _parse(setting, raw)
        for setting in fields(Settings)
        if (raw := environment.get(setting.name.upper(), "").strip())
    }
    settings = Settings(**values)
    _check(settings)
    return settings


def _parse(setting: Field[Any], raw: str) -> Any:  # noqa: ANN401 - the type of the setting
    name, metadata = setting.name.upper(), setting.metadata
    if "entry" in metadata:
        entries = tuple(entry.strip() for entry in raw.split(","))
        for entry in entries:
            if not metadata["entry"].fullmatch(entry):
                raise SettingsError(
                    f"{name} must contain entries such as {metadata['example']}, not {entry!r}."
                )
        return entries
    if isinstance(setting.default, bool):
        if raw not in ("0", "1"):
            raise SettingsError(f"{name} must be 1 or 0, not {raw!r}.")
        return raw == "1"
    if isinstance(setting.default, int):
        minimum = metadata["minimum"]
        if not raw.isdecimal() or int(raw) < minimum:
            raise SettingsError(f"{name} must be a whole number of at least {minimum}, not {raw!r}.")
        return int(raw)
    return raw


def _check(settings: Settings) -> None:
    """Raises SettingsError for the first invalid setting."""
    if settings.app_env not in ("development", "production"):
        raise SettingsError(f"APP_ENV must be development or production, not {settings.app_env!r}.")
    _check_databases(settings)
    if settings.metrics_token and len(settings.metrics_token) < _MIN_SECRET_LENGTH:
        raise SettingsError("METRICS_TOKEN must have 32 characters or more.")
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise SettingsError("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://.")
    if not _CURRENCY.fullmatch(settings.billing_currency):
        raise SettingsError(
            f"BILLING_CURRENCY must be a code such as EUR, not {settings.billing_currency!r}."
        )
    _check_sign_in(settings)


def _check_databases(settings: Settings) -> None:
    for name, url in (
        ("DATABASE_URL", settings.database_url),
        ("DATABASE_DIRECT_URL", settings.database_direct_url),
        *(("DATABASE_REPLICA_URLS", replica) for replica in settings.database_replica_urls.split()),
    ):
        if url and not is_database_url(url):
            raise SettingsError(
                f"{name} must begin with postgresql:// and have the form postgresql://user:password@host:port/"
                "database; in user and password, write # / ? [ ] @ as %23 %2F %3F %5B %5D %40."
            )
    if settings.database_pooler not in ("", "transaction"):
        raise SettingsError(
            f"DATABASE_POOLER must be transaction or unset, not {settings.database_pooler!r}."
        )
    if settings.pooled and not settings.database_direct_url:
        raise SettingsError(
            "DATABASE_DIRECT_URL must be set when DATABASE_POOLER is: events and migrations bypass it."
        )


def _check_sign_in(settings: Settings) -> None:
    if settings.production and (settings.auth_dev_secret or settings.auth_dev_addresses):
        name = "AUTH_DEV_SECRET" if settings.auth_dev_secret else "AUTH_DEV_ADDRESSES"
        raise SettingsError(f"{name} must not be set when APP_ENV=production.")
    if settings.auth_jwks_url and settings.auth_dev_secret:
        raise SettingsError("AUTH_DEV_SECRET must not be set together with AUTH_JWKS_URL.")
    if settings.auth_dev_secret and len(settings.auth_dev_secret) < _MIN_SECRET_LENGTH:
        raise SettingsError("AUTH_DEV_SECRET must have 32 characters or more.")
    if settings.auth_jwks_url and not _is_secure(settings.auth_jwks_url, production=settings.production):
        raise SettingsError(
            "AUTH_JWKS_URL must begin with https://; in development, http://localhost is allowed, too."
        )
    _ = settings.role_map  # raises here instead of at the first token
    if settings.auth_client_id:
        _check_sign_in_of_pages(settings)


def _check_sign_in_of_pages(settings: Settings) -> None:
    if not settings.has_identity_provider:
        raise SettingsError("AUTH_CLIENT_ID must not be set without AUTH_JWKS_URL; see docs/sign-in.md.")
    issuer = settings.auth_issuer
    origin = "/".join(issuer.split("/")[:3])
    if not _is_secure(issuer, production=settings.production) or not ORIGIN.fullmatch(origin):
        raise SettingsError("AUTH_ISSUER must begin with https:// when AUTH_CLIENT_ID is set.")
    if "openid" not in settings.auth_scopes.split():
        raise SettingsError("AUTH_SCOPES must include openid.")


def _is_secure(url: str, *, production: bool) -> bool:
    """Whether the response is safe from attackers on the network: https, or loopback in development."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and not production and is_loopback(host))
    )


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def this_command() -> str:
    """Return how a shell in this folder runs the same program, such as `.venv/bin/python -m app`."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return f"{shlex.quote(str(python))} -m app"
