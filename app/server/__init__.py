"""Serving with uvicorn: protocols, timeouts, supervisor, graceful shutdown. Imported by asgi and cli."""
