"""Runs a GraphQL operation level by level, after a plan that is made once. README.md says how."""
