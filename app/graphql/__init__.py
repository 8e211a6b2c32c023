"""The GraphQL API, a thin layer over commands and queries. Only asgi and cli import it."""
