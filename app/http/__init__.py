"""HTTP that is not GraphQL."""
