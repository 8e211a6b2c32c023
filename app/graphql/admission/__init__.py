"""Trusted documents, limits and rate limits of operations. Only the pipeline and the transports import it."""
