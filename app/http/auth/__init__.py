"""Authentication: access tokens, signing keys, claims, development sign-in. Imported by asgi, graphql."""
