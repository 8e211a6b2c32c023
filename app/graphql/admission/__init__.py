"""Which operations run: trusted documents, limits, complexity, rate limits. Runs before execution."""
