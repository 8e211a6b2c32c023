"""Metrics, traces and logs. Knows nothing of tickets; any other package may import it."""
