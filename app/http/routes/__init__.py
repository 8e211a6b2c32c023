"""Routes except GraphQL: web pages, health, metrics, billing.csv. Imported by asgi, graphql and doctor."""
