"""The commands: one file for each mutation, and the runner that reads, decides and writes.

The GraphQL API and jobs may import it.
"""
