"""Metrics, traces and logs. Knows nothing of tickets; any layer above may import it."""
