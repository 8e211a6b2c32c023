"""Settings, read once from the environment."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


_HOST = re.compile(r"\*|(\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE | re.ASCII)
# In lower case and without a path, as browsers say it.
_ORIGIN = re.compile(r"\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d+)?")


class SettingsError(Exception):
    """One sentence that names the setting and says what it should be."""


def _setting(default: object, description: str) -> Any:  # noqa: ANN401 - takes the type of its annotation
    return field(default=default, metadata={"description": description})


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
        "", "The same without a pooler between, for migrations; DATABASE_URL when unset."
    )
    database_pool_size: int = _setting(10, "Connections that one server process holds at most.")
    auth_dev_secret: str = _setting(
        "", "What `token` signs with and the server accepts; development only, 32 characters or more."
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
    def dev_secret(self) -> str:
        """AUTH_DEV_SECRET, else one that is made once and kept beside the private database."""
        if self.production:
            raise SettingsError("APP_ENV=production has no development sign-in.")
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
    for name, url in (
        ("DATABASE_URL", settings.database_url),
        ("DATABASE_DIRECT_URL", settings.database_direct_url),
    ):
        if url and not url.startswith(("postgresql://", "postgres://")):
            raise SettingsError(f"{name} must begin with postgresql://.")
    if settings.production and settings.auth_dev_secret:
        raise SettingsError("AUTH_DEV_SECRET must not be set when APP_ENV=production.")
    if settings.auth_dev_secret and len(settings.auth_dev_secret) < 32:  # noqa: PLR2004 - RFC 7518, 3.2
        raise SettingsError("AUTH_DEV_SECRET must have 32 characters or more.")
    return settings


def _parsed(setting: Field[Any], raw: str) -> object:
    if "form" in setting.metadata:
        return _entries(setting.name.upper(), raw, setting.metadata["form"])
    return _whole(setting.name.upper(), raw) if isinstance(setting.default, int) else raw


def _entries(name: str, raw: str, form: re.Pattern[str]) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in raw.split(","))
    for entry in entries:
        if not form.fullmatch(entry):
            example = "tickets.example.com" if form is _HOST else "https://desk.example.com"
            raise SettingsError(f"{name} must hold entries such as {example}, not {entry!r}.")
    return entries


def _whole(name: str, raw: str) -> int:
    if not raw.isdecimal() or int(raw) < 1:
        raise SettingsError(f"{name} must be a whole number from 1, not {raw!r}.")
    return int(raw)
