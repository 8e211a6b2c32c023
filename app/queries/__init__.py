"""One typed function for each named statement of sql/queries, in files of the same names.

Commands, jobs, the GraphQL API and HTTP routes may import it.
"""
