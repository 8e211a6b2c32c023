"""Finds the command, and turns expected errors into one line and exit code 1."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import click

from app import config
from app.config import OperatorError
from app.db.errors import DRIVER_ERRORS, Unavailable, one_line
from app.domain.errors import InvalidInput
from app.observability import logs

if TYPE_CHECKING:
    from click import Command, Context

_NO_COMMANDS = {"main", "shared"}


class _Modules(click.Group):
    """Imports the module of a command when it is needed."""

    def list_commands(self, _ctx: Context) -> list[str]:
        return sorted({module.name for module in iter_modules([str(Path(__file__).parent)])} - _NO_COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: Command = import_module(f"app.cli.{cmd_name}").command
        return command


def main() -> None:
    """Run a command; an expected error is one line on stderr and exit code 1."""
    try:
        commands(prog_name="python -m app")
    except (OperatorError, InvalidInput) as error:
        sys.exit(f"Error: {error}")
    except Unavailable as error:
        cause = one_line(error.__cause__) if isinstance(error.__cause__, Exception) else ""
        sys.exit(f"Error: DATABASE_URL: the database does not answer ({cause or 'timed out'}).")
    except DRIVER_ERRORS as error:
        sys.exit(f"Error: the database refused this to the role of DATABASE_URL: {one_line(error)}.")
    except OSError as error:
        sys.exit(f"Error: {one_line(error)}.")


@click.group(cls=_Modules)
@click.pass_context
def commands(context: click.Context) -> None:
    """Baton, the system of record for service ticket assignments."""
    context.obj = config.load()
    logs.set_up(production=context.obj.production)
