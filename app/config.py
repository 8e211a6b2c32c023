"""Settings, read once from the environment."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.domain.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping


_HOST = re.compile(r"\*|(\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE | re.ASCII)
# In lower case and without a path, as browsers say it.
_ORIGIN = re.compile(r"\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d+)?")

_CURRENCY = re.compile("[A-Z]{3}")
DEFAULT_CURRENCY = "EUR"

_SHORTEST_SECRET = 32  # RFC 7518, 3.2


class SettingsError(Exception):
    """One sentence that names the setting and says what it should be."""


def _setting(default: object, description: str, *, least: int = 1) -> Any:  # noqa: ANN401 - takes the type of its annotation
    """`least` is of whole numbers."""
    return field(default=default, metadata={"description": description, "least": least})


def _settings(form: re.Pattern[str], description: str) -> Any:  # noqa: ANN401 - a tuple of strings
    """Entries between commas, none when unset."""
    return field(default=(), metadata={"description": description, "form": form})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the environment variable of the same name in capitals."""

    app_env: str = _setting("development", "`development` or `production`.")
    database_url: str = _setting(
        "",
        "postgresql://user:password@host:port/database; `dev` brings a private server when unset.",
    )
    database_direct_url: str = _setting(
        "",
        "The same without a pooler between, for events and migrations; DATABASE_URL when unset.",
    )
    database_pooler: str = _setting(
        "",
        "`transaction`: DATABASE_URL leads to a pooler in transaction mode, such as PgBouncer; see"
        " docs/scale-out.md.",
    )
    database_replica_urls: str = _setting(
        "", "Standbys for reads, with spaces between; see docs/scale-out.md."
    )
    database_replica_lag_s: int = _setting(5, "Seconds that a standby may be behind before it is left out.")
    database_pool_size: int = _setting(10, "Connections that one server process holds at most.")
    database_connect_timeout_s: int = _setting(3, "Seconds until a new connection is given up.")
    database_acquire_timeout_s: int = _setting(
        2, "Seconds that a request waits for a free connection before it is told UNAVAILABLE."
    )
    database_lock_timeout_s: int = _setting(
        5, "Seconds that a change waits for another change of the same ticket."
    )
    database_statement_timeout_s: int = _setting(10, "Seconds that one statement may take.")
    database_wait_s: int = _setting(
        60, "Seconds that `serve` waits for a database that is still starting.", least=0
    )
    events_kept_months: int = _setting(
        0,
        "Months of events that `retain` leaves; it drops what is older. 0: events are kept for ever.",
        least=0,
    )
    shutdown_drain_s: int = _setting(
        5,
        "Seconds that `serve` goes on after SIGTERM, with /readyz at 503, for load balancers to notice.",
        least=0,
    )
    auth_dev_secret: str = _setting(
        "", "What `token` signs with and the server accepts; development only, 32 characters or more."
    )
    auth_jwks_url: str = _setting(
        "",
        "Where the identity provider lists its signing keys; https, except in development on this machine.",
    )
    auth_issuer: str = _setting("", "The identity provider: `iss` of its tokens, letter for letter.")
    auth_audience: str = _setting("", "This API, as the identity provider knows it; in `aud` of every token.")
    auth_role_claim: str = _setting(
        "roles", "The claim with a person's role or list of roles; dots lead inward: realm_access.roles."
    )
    auth_role_map: str = _setting(
        "",
        "Provider's role=our role, with commas between; when unset, the provider says "
        "admin, dispatcher, engineer, auditor.",
    )
    auth_engineer_claim: str = _setting(
        "engineer_id", "The claim with an engineer's id, a UUID of the engineers table; dots lead inward."
    )
    auth_client_id: str = _setting(
        "", "What the identity provider knows the web pages as; without it nobody signs in on them."
    )
    auth_scopes: str = _setting(
        "openid", "What the web pages ask the identity provider for, with spaces between; openid among it."
    )
    allowed_hosts: tuple[str, ...] = _settings(
        _HOST,
        "Names that clients call the server by, such as `tickets.example.com,*.example.net`; "
        "any when unset, but production must set it.",
    )
    cors_origins: tuple[str, ...] = _settings(
        _ORIGIN,
        "Other sites whose pages may call the API, such as `https://desk.example.com`; none when unset.",
    )
    trusted_documents_only: bool = _setting(
        default=False,
        description="1: only admins and dispatchers run documents that the server does not know.",
    )
    trusted_documents_file: str = _setting(
        "",
        "A manifest of more trusted documents than those of our own clients; see docs/trusted-documents.md.",
    )
    compiled_execution: bool = _setting(
        default=True, description="0: operations are executed by graphql-core itself, which takes longer."
    )
    metrics_token: str = _setting(
        "",
        "What scrapers of /metrics send as a bearer token, 32 characters or more; without it, production has"
        " no /metrics.",
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "", "Where OpenTelemetry traces go, such as http://collector:4318; none are made when unset."
    )
    billing_currency: str = _setting(
        DEFAULT_CURRENCY, "What rates and the prices of parts are in: three letters of ISO 4217."
    )
    data_dir: str = _setting(
        "",
        "Folder of the private database of `dev`; .data, or one under /var/lib/baton for root, when unset.",
    )

    @property
    def production(self) -> bool:
        return self.app_env == "production"

    @property
    def direct_url(self) -> str:
        return self.database_direct_url or self.required_database_url

    @property
    def pooled(self) -> bool:
        return bool(self.database_pooler)

    @property
    def required_database_url(self) -> str:
        if not self.database_url:
            raise SettingsError("DATABASE_URL must be set: postgresql://user:password@host:port/database.")
        return self.database_url

    @property
    def served_hosts(self) -> tuple[str, ...]:
        if self.production and not self.allowed_hosts:
            raise SettingsError(
                "ALLOWED_HOSTS must be set when APP_ENV=production, such as tickets.example.com."
            )
        return self.allowed_hosts or ("*",)

    @property
    def data_folder(self) -> Path:
        if self.data_dir:
            return Path(self.data_dir)
        if os.geteuid() == 0:
            # PostgreSQL does not run as root, and the user it runs as may not look into root's folders.
            return Path("/var/lib/baton", hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:12])
        return Path.cwd() / ".data"

    @property
    def has_identity_provider(self) -> bool:
        """False means development tokens. Raises SettingsError where a setting of the provider is missing."""
        needed = ("auth_jwks_url", "auth_issuer", "auth_audience")
        missing = [name.upper() for name in needed if not getattr(self, name)]
        if missing and (self.production or len(missing) < len(needed)):
            why = "when APP_ENV=production" if self.production else "when another of the identity provider is"
            raise SettingsError(f"{', '.join(missing)} must be set {why}; see docs/sign-in.md.")
        return not missing

    @property
    def role_map(self) -> dict[str, Role]:
        """Our roles by the provider's names. Raises SettingsError."""
        if not self.auth_role_map:
            return {role.value: role for role in Role}
        pairs = [pair.rpartition("=") for pair in self.auth_role_map.split(",")]
        named = {theirs.strip(): ours.strip() for theirs, _, ours in pairs}
        if "" in named or not set(named.values()) <= set(Role):
            raise SettingsError(
                "AUTH_ROLE_MAP must be such as baton-dispatch=dispatcher,baton-field=engineer; "
                f"our roles are {', '.join(Role)}."
            )
        return {theirs: Role(ours) for theirs, ours in named.items()}

    @property
    def dev_secret(self) -> str:
        """AUTH_DEV_SECRET, else one that is made once and kept beside the private database."""
        if self.production:
            raise SettingsError("APP_ENV=production has no development sign-in.")
        if self.has_identity_provider:
            raise SettingsError(
                "AUTH_JWKS_URL must not be set for development tokens: they would be refused."
            )
        if self.auth_dev_secret:
            return self.auth_dev_secret
        kept = self.data_folder / "auth-dev-secret"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(32))
        return kept.read_text()


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError for the first setting that is wrong."""
    given: dict[str, Any] = {}
    for f in fields(Settings):
        name = f.name.upper()
        raw = environment.get(name, "").strip()
        if not raw:
            continue
        given[f.name] = _parsed(f, raw)
    settings = Settings(**given)
    if settings.app_env not in ("development", "production"):
        raise SettingsError(f"APP_ENV must be development or production, not {settings.app_env!r}.")
    _check_databases(settings)
    if settings.metrics_token and len(settings.metrics_token) < _SHORTEST_SECRET:
        raise SettingsError("METRICS_TOKEN must have 32 characters or more.")
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise SettingsError("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://.")
    if not _CURRENCY.fullmatch(settings.billing_currency):
        raise SettingsError(f"BILLING_CURRENCY must be such as EUR, not {settings.billing_currency!r}.")
    _check_sign_in(settings)
    return settings


def _check_databases(settings: Settings) -> None:
    for name, url in (
        ("DATABASE_URL", settings.database_url),
        ("DATABASE_DIRECT_URL", settings.database_direct_url),
        *(("DATABASE_REPLICA_URLS", replica) for replica in settings.database_replica_urls.split()),
    ):
        if url and not url.startswith(("postgresql://", "postgres://")):
            raise SettingsError(f"{name} must begin with postgresql://.")
    if settings.database_pooler not in ("", "transaction"):
        raise SettingsError(
            f"DATABASE_POOLER must be transaction, or unset, not {settings.database_pooler!r}."
        )
    if settings.pooled and not settings.database_direct_url:
        raise SettingsError(
            "DATABASE_DIRECT_URL must be set when DATABASE_POOLER is: events and migrations go past it."
        )


def _check_sign_in(settings: Settings) -> None:
    if settings.production and settings.auth_dev_secret:
        raise SettingsError("AUTH_DEV_SECRET must not be set when APP_ENV=production.")
    if settings.auth_jwks_url and settings.auth_dev_secret:
        raise SettingsError("AUTH_DEV_SECRET must not be set together with AUTH_JWKS_URL.")
    if settings.auth_dev_secret and len(settings.auth_dev_secret) < _SHORTEST_SECRET:
        raise SettingsError("AUTH_DEV_SECRET must have 32 characters or more.")
    if settings.auth_jwks_url and not _may_be_trusted(settings.auth_jwks_url, production=settings.production):
        raise SettingsError(
            "AUTH_JWKS_URL must begin with https://; in development, http://localhost does as well."
        )
    _ = settings.role_map  # raises now rather than at the first token
    if settings.auth_client_id:
        _check_sign_in_of_pages(settings)


def _check_sign_in_of_pages(settings: Settings) -> None:
    if not settings.has_identity_provider:
        raise SettingsError("AUTH_CLIENT_ID must not be set without AUTH_JWKS_URL; see docs/sign-in.md.")
    issuer = settings.auth_issuer
    origin = "/".join(issuer.split("/")[:3])
    if not _may_be_trusted(issuer, production=settings.production) or not _ORIGIN.fullmatch(origin):
        raise SettingsError("AUTH_ISSUER must begin with https:// where people sign in on the web pages.")
    if "openid" not in settings.auth_scopes.split():
        raise SettingsError("AUTH_SCOPES must have openid among its scopes.")


def _may_be_trusted(url: str, *, production: bool) -> bool:
    """Who can change keys or pages on their way signs in as anybody."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and not production and is_this_machine(host))
    )


def is_this_machine(host: str) -> bool:
    """Whether the name or address leads nowhere else."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parsed(setting: Field[Any], raw: str) -> object:
    if "form" in setting.metadata:
        return _entries(setting.name.upper(), raw, setting.metadata["form"])
    if isinstance(setting.default, bool):
        return _switch(setting.name.upper(), raw)
    if isinstance(setting.default, int):
        return _whole(setting.name.upper(), raw, setting.metadata["least"])
    return raw


def _entries(name: str, raw: str, form: re.Pattern[str]) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in raw.split(","))
    for entry in entries:
        if not form.fullmatch(entry):
            example = "tickets.example.com" if form is _HOST else "https://desk.example.com"
            raise SettingsError(f"{name} must hold entries such as {example}, not {entry!r}.")
    return entries


def _switch(name: str, raw: str) -> bool:
    if raw not in ("0", "1"):
        raise SettingsError(f"{name} must be 1 or 0, not {raw!r}.")
    return raw == "1"


def _whole(name: str, raw: str, least: int) -> int:
    if not raw.isdecimal() or int(raw) < least:
        raise SettingsError(f"{name} must be a whole number from {least}, not {raw!r}.")
    return int(raw)
