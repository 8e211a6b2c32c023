"""python -m app schema."""

import click

from app.graphql.schema import sdl


@click.command("schema")
def command() -> None:
    """Print the GraphQL schema."""
    click.echo(sdl(), nl=False)
