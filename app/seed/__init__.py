"""Believable demo data: every ticket's life is played through the commands that clients use."""

from app.seed.load import NotEmpty, SeedCounts, is_empty, seed

__all__ = ["NotEmpty", "SeedCounts", "is_empty", "seed"]
