"""Access to PostgreSQL: the pool, replicas, named statements, migrations. Knows no table.

Imported by queries and commands, and by outer layers to open a database. Only this package imports asyncpg.
"""
