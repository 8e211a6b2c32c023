"""Shares work between operations: batches of keys, identical queries, events. Knows no GraphQL type."""
