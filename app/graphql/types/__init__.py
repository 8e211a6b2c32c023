"""GraphQL types: one file for each type or family of types. Imported by the root types."""

from app.graphql.types.descriptions import describe_enums_and_scalars

describe_enums_and_scalars()
