"""How we talk to PostgreSQL. Knows no table."""
