"""Background jobs: escalation, retention, partitions; and the billing export. Imported by asgi and cli."""
