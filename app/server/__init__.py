"""Runs the ASGI application: protocol, timeouts, worker processes, shutdown. Knows nothing of tickets."""
