"""Demo data, `dev` and the embedded PostgreSQL: what makes the product run on a laptop. Imported by cli."""
