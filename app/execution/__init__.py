"""Executes GraphQL operations breadth first, by cached plans. Imported by app.graphql only; see README.md."""
