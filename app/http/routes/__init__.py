"""Routes that are not GraphQL: web pages, health, metrics, billing.csv. Imported by asgi only."""
