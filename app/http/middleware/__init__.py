"""ASGI middleware for all routes, and for the routes that browsers call. Imported by asgi and routes."""
