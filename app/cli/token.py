"""python -m app token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.domain import values
from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens

if TYPE_CHECKING:
    from app.config import Settings


@click.command("token")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--engineer", help="The engineer's id; required for --role engineer.")
@click.option("--ttl", default=3600, show_default=True, help="Seconds until it expires.")
@click.pass_obj
def command(settings: Settings, role: str, engineer: str | None, ttl: int) -> None:
    """Print a bearer token for development."""
    engineer_id = None if engineer is None else values.engineer_id("--engineer", engineer)
    if (role == Role.ENGINEER) != (engineer_id is not None):
        raise click.UsageError("--engineer is required for --role engineer, and allowed for no other role.")
    click.echo(DevelopmentTokens(settings.dev_secret).sign(Role(role), engineer_id, ttl_s=ttl))
