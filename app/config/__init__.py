"""Settings: declared, read from the environment, checked. Every layer above the domain may import it."""

from app.config.environment import is_loopback, load, this_command
from app.config.settings import DEFAULT_CURRENCY, OperatorError, Settings, SettingsError

__all__ = [
    "DEFAULT_CURRENCY",
    "OperatorError",
    "Settings",
    "SettingsError",
    "is_loopback",
    "load",
    "this_command",
]
