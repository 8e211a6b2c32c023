"""What clients see: one file for each GraphQL type or family of types. Imported by the roots."""
