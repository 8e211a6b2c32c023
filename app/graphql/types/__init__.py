"""GraphQL types: one file for each type or family of types. Imported by the root types."""

from app.graphql.types.enums import describe_enums
from app.graphql.types.scalars import describe_scalars

# Before any module of this package defines a type, which copies the descriptions.
describe_enums()
describe_scalars()
