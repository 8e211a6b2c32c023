"""python -m app doctor."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from app import doctor

if TYPE_CHECKING:
    from app.config import Settings


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Also read every ticket and assignment.")
@click.pass_obj
def command(settings: Settings, *, deep: bool) -> None:
    """Check settings, sign-in and database, and print what to fix."""
    sys.exit(asyncio.run(doctor.examine(settings, emit=click.echo, deep=deep)))
