"""The settings: one field for each environment variable, and the values derived from them."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.domain.lifecycle import TicketRules
from app.domain.model import Role

DEFAULT_CURRENCY = "EUR"
ADDRESS = re.compile(r"[0-9a-f.:]+")
HOST = re.compile(r"\*|(\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE | re.ASCII)
# In lower case and without a path, as browsers send it.
ORIGIN = re.compile(r"\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d+)?")


class OperatorError(Exception):
    """Something that the operator must fix. The message is all that a command prints."""


class SettingsError(OperatorError):
    """One sentence that names the setting and says what it must be."""


def _setting(default: object, description: str, *, minimum: int = 1) -> Any:  # noqa: ANN401 - has the type of its annotation
    """`minimum` applies to integers."""
    return field(default=default, metadata={"description": description, "minimum": minimum})


def _list_setting(entry: re.Pattern[str], example: str, description: str) -> Any:  # noqa: ANN401 - a tuple of strings
    """A comma-separated list; each entry must match the pattern."""
    return field(default=(), metadata={"description": description, "entry": entry, "example": example})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the environment variable of the same name in capitals."""

    app_env: str = _setting("development", "`development` or `production`.")
    database_url: str = _setting(
        "",
        "postgresql://user:password@host:port/database; if unset, `dev` starts a private server.",
    )
    database_direct_url: str = _setting(
        "",
        "URL of the same database without a pooler, for events and migrations; DATABASE_URL if unset.",
    )
    database_pooler: str = _setting(
        "",
        "`transaction` if DATABASE_URL leads to a pooler in transaction mode, such as PgBouncer; see"
        " docs/scale-out.md.",
    )
    database_replica_urls: str = _setting(
        "", "URLs of read replicas, separated by spaces; see docs/scale-out.md."
    )
    database_replica_lag_s: int = _setting(
        5, "Maximum replication lag in seconds; a replica that is further behind serves no reads."
    )
    database_pool_size: int = _setting(10, "Maximum number of database connections per server process.")
    database_connect_timeout_s: int = _setting(3, "Timeout in seconds for opening a database connection.")
    database_acquire_timeout_s: int = _setting(
        2, "Seconds that a request waits for a free connection before it fails with UNAVAILABLE."
    )
    database_lock_timeout_s: int = _setting(
        5, "Seconds that a change waits for another change of the same ticket."
    )
    database_statement_timeout_s: int = _setting(10, "Timeout in seconds for one statement.")
    database_wait_s: int = _setting(
        60, "Seconds that `serve` waits for a database that is still starting.", minimum=0
    )
    events_kept_months: int = _setting(
        0,
        "Months of events that `retain` keeps; it drops older ones. 0 keeps all events.",
        minimum=0,
    )
    tickets_reopen_within_days: int = _setting(
        14,
        "Days after a ticket was closed or cancelled during which it can be reopened; 0: never.",
        minimum=0,
    )
    tickets_close_after_days: int = _setting(
        0, "Days after which a resolved ticket is closed by itself; 0: never.", minimum=0
    )
    shutdown_drain_s: int = _setting(
        5,
        "Seconds that `serve` keeps serving after SIGTERM with /readyz at 503, for load balancers to notice.",
        minimum=0,
    )
    auth_dev_secret: str = _setting(
        "", "Secret that signs development tokens; development only, at least 32 characters."
    )
    auth_dev_addresses: tuple[str, ...] = _list_setting(
        ADDRESS,
        "172.30.53.1",
        "IP addresses from which a browser may choose a role, besides this machine; development only, for a"
        " container's gateway.",
    )
    auth_jwks_url: str = _setting(
        "",
        "URL of the identity provider's signing keys; https, or http://localhost in development.",
    )
    auth_issuer: str = _setting("", "The identity provider: exactly the `iss` of its tokens.")
    auth_audience: str = _setting(
        "", "This API's identifier at the identity provider; in the `aud` of every token."
    )
    auth_role_claim: str = _setting(
        "roles", "Claim with the user's role or list of roles; dots lead into objects: realm_access.roles."
    )
    auth_role_map: str = _setting(
        "",
        "Comma-separated pairs provider-role=role; if unset, the provider uses the roles"
        " admin, dispatcher, engineer, auditor.",
    )
    auth_engineer_claim: str = _setting(
        "engineer_id", "Claim with the engineer's id, a UUID of the engineers table; dots lead into objects."
    )
    auth_client_id: str = _setting(
        "", "OAuth client id of the web pages; if unset, they offer no sign-in at the provider."
    )
    auth_scopes: str = _setting(
        "openid", "Scopes that the web pages request, separated by spaces; must include openid."
    )
    allowed_hosts: tuple[str, ...] = _list_setting(
        HOST,
        "tickets.example.com",
        "Host names of this server, such as `tickets.example.com,*.example.net`; "
        "any host if unset; required in production.",
    )
    cors_origins: tuple[str, ...] = _list_setting(
        ORIGIN,
        "https://desk.example.com",
        "Origins of other sites that may call the API, such as `https://desk.example.com`; none if unset.",
    )
    trusted_documents_only: bool = _setting(
        default=False,
        description="1: only admins and dispatchers may run documents that are not trusted.",
    )
    trusted_documents_file: str = _setting(
        "",
        "Manifest with trusted documents in addition to those of our own clients; see"
        " docs/trusted-documents.md.",
    )
    compiled_execution: bool = _setting(
        default=True, description="0: graphql-core executes operations itself, which is slower."
    )
    metrics_token: str = _setting(
        "",
        "Bearer token that /metrics requires, at least 32 characters; if unset, production serves no"
        " /metrics.",
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "", "Endpoint for OpenTelemetry traces, such as http://collector:4318; no traces if unset."
    )
    billing_currency: str = _setting(
        DEFAULT_CURRENCY, "Currency of hourly rates and part prices: three letters of ISO 4217."
    )
    data_dir: str = _setting(
        "",
        "Directory of the private database of `dev`; if unset, .data, or for root one under /var/lib/baton.",
    )

    @property
    def ticket_rules(self) -> TicketRules:
        days = self.tickets_close_after_days
        return TicketRules(
            timedelta(days=self.tickets_reopen_within_days), timedelta(days=days) if days else None
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
            # PostgreSQL does not run as root, and its user may have no access to root's folders.
            return Path("/var/lib/baton", hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:12])
        return Path.cwd() / ".data"

    @property
    def has_identity_provider(self) -> bool:
        """False means development tokens. Raises SettingsError if only some of its settings are set."""
        required = ("auth_jwks_url", "auth_issuer", "auth_audience")
        missing = [name.upper() for name in required if not getattr(self, name)]
        if missing and (self.production or len(missing) < len(required)):
            why = (
                "when APP_ENV=production"
                if self.production
                else "when another setting of the identity provider is"
            )
            raise SettingsError(f"{', '.join(missing)} must be set {why}; see docs/sign-in.md.")
        return not missing

    @property
    def role_map(self) -> dict[str, Role]:
        """Our roles by the identity provider's names. Raises SettingsError."""
        if not self.auth_role_map:
            return {role.value: role for role in Role}
        pairs = [pair.rpartition("=") for pair in self.auth_role_map.split(",")]
        roles = {provider_role.strip(): role.strip() for provider_role, _, role in pairs}
        if "" in roles or not set(roles.values()) <= set(Role):
            raise SettingsError(
                "AUTH_ROLE_MAP must be pairs such as baton-dispatch=dispatcher,baton-field=engineer; "
                f"our roles are {', '.join(Role)}."
            )
        return {provider_role: Role(role) for provider_role, role in roles.items()}

    @property
    def dev_secret(self) -> str:
        """AUTH_DEV_SECRET, or a secret that is generated once and stored in the data folder."""
        if self.production:
            raise SettingsError("APP_ENV=production has no development sign-in.")
        if self.has_identity_provider:
            raise SettingsError(
                "AUTH_JWKS_URL must not be set for development tokens: the server would reject them."
            )
        if self.auth_dev_secret:
            return self.auth_dev_secret
        file = self.data_folder / "auth-dev-secret"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(32))
        return file.read_text()
