"""GraphQL over HTTP, server-sent events and WebSocket. Only asgi imports it."""
