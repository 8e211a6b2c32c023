"""Settings: declared, read from the environment, checked. Every layer above the domain may import it."""

from app.config.environment import load
from app.config.settings import DEFAULT_CURRENCY, Settings, SettingsError
from app.config.urls import is_loopback

__all__ = ["DEFAULT_CURRENCY", "Settings", "SettingsError", "is_loopback", "load"]
