"""HTTP except GraphQL: middleware, authentication, routes. Imported by graphql and asgi."""
