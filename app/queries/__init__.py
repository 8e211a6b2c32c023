"""One typed function for each named statement of sql/queries."""
