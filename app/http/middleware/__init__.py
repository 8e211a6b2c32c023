"""ASGI middleware, for all routes or for those that browsers call. Imported by asgi, graphql and routes."""
