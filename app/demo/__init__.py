"""Demo data, the `dev` command and the embedded PostgreSQL. Imported by cli and by tests."""
