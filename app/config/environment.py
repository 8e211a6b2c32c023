"""Reads the settings from environment variables."""

from __future__ import annotations

import os
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any

from app.config.checks import check
from app.config.settings import Settings, SettingsError

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError for the first invalid setting. An empty variable counts as unset."""
    values = {
        setting.name: _parse(setting, raw)
        for setting in fields(Settings)
        if (raw := environment.get(setting.name.upper(), "").strip())
    }
    settings = Settings(**values)
    check(settings)
    return settings


def _parse(setting: Field[Any], raw: str) -> Any:  # noqa: ANN401 - the type of the setting
    name = setting.name.upper()
    if "entry" in setting.metadata:
        return _parse_list(name, raw, setting.metadata["entry"], setting.metadata["example"])
    if isinstance(setting.default, bool):
        return _parse_bool(name, raw)
    if isinstance(setting.default, int):
        return _parse_int(name, raw, setting.metadata["minimum"])
    return raw


def _parse_list(name: str, raw: str, pattern: re.Pattern[str], example: str) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in raw.split(","))
    for entry in entries:
        if not pattern.fullmatch(entry):
            raise SettingsError(f"{name} must contain entries such as {example}, not {entry!r}.")
    return entries


def _parse_bool(name: str, raw: str) -> bool:
    if raw not in ("0", "1"):
        raise SettingsError(f"{name} must be 1 or 0, not {raw!r}.")
    return raw == "1"


def _parse_int(name: str, raw: str, minimum: int) -> int:
    if not raw.isdecimal() or int(raw) < minimum:
        raise SettingsError(f"{name} must be a whole number of at least {minimum}, not {raw!r}.")
    return int(raw)
