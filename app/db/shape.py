"""The shape of the old tables: what the migrations and the server can use, and what is in the way.

`migrate up` checks it before it changes anything; `migrate verify` and `doctor` report it later. Each problem
is a sentence that names the object, and what to do.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.db.connections import Connection

_TEXT = ("text", "character varying")
_INTEGER = ("integer", "smallint", "bigint")
_TIME = ("timestamp with time zone",)
_ANY_ID = (*_TEXT, "character", "uuid", *_INTEGER, "numeric")
_MAX_ID_LENGTH = 64
_UUID_LENGTH = 36
_STATUSES = ("assigned", "in_progress", "on_hold", "resolved", "new")
"""What commands write to service_tickets.status."""


class _Column(NamedTuple):
    types: tuple[str, ...] = ()
    """The first is the recommended one; empty if every type can be read."""
    is_required: bool = False
    """Whether a null makes the row unusable."""
    is_written: bool = False
    min_length: int = 0


_COLUMNS = {
    "engineers": {
        "id": _Column(("uuid",), is_required=True),
        "name": _Column(_TEXT, is_required=True),
        "email": _Column(_TEXT),
        "engineer_level": _Column(_INTEGER, is_required=True),
        "home_region": _Column(_TEXT),
        "skills": _Column(("text[]", "character varying[]"), is_required=True),
        "is_active": _Column(("boolean",), is_required=True),
    },
    "equipment": {
        "id": _Column(_TEXT, is_required=True),
        "name": _Column(_TEXT, is_required=True),
        "serial_number": _Column(_TEXT),
        "manufacturer": _Column(_TEXT),
        "model": _Column(_TEXT),
        "category": _Column(_TEXT),
    },
    "service_tickets": {
        "id": _Column(_TEXT, is_required=True),
        "ticket_number": _Column(_TEXT, is_required=True),
        "status": _Column(_TEXT, is_required=True, is_written=True, min_length=max(map(len, _STATUSES))),
        "priority": _Column(_TEXT, is_required=True),
        "customer_name": _Column(_TEXT),
        "issue_category": _Column(_TEXT),
        "issue_description": _Column(_TEXT),
        "equipment_id": _Column(_TEXT),
        "created_at": _Column(_TIME, is_required=True),
        "updated_at": _Column(_TIME, is_required=True, is_written=True),
        "started_at": _Column(_TIME, is_written=True),
        "resolved_at": _Column(_TIME, is_written=True),
        "closed_at": _Column(_TIME),
        "assigned_at": _Column(_TIME, is_written=True),
        "assigned_engineer_id": _Column((*_TEXT, "uuid"), is_written=True, min_length=_UUID_LENGTH),
        "assigned_engineer_name": _Column(_TEXT, is_written=True),
        "assignment_tier": _Column((*_INTEGER, "numeric", *_TEXT), is_written=True),
        "assignment_tier_name": _Column(_TEXT, is_written=True),
    },
    # Its rows are read as JSON, and what cannot be converted is quarantined.
    "engineer_assignments": {
        "id": _Column(_ANY_ID),
        "ticket_id": _Column(_ANY_ID),
        "engineer_id": _Column(_ANY_ID),
        "status": _Column(),
        "assigned_at": _Column(),
        "updated_at": _Column(),
    },
}
_DEFAULTS = {
    ("engineers", "engineer_level"): "NOT NULL DEFAULT 1",
    ("engineers", "skills"): "NOT NULL DEFAULT '{}'",
    ("engineers", "is_active"): "NOT NULL DEFAULT true",
    ("service_tickets", "priority"): "NOT NULL DEFAULT 'medium'",
    ("service_tickets", "updated_at"): "NOT NULL DEFAULT now()",
}
_USING = {
    "timestamp with time zone": "{0} AT TIME ZONE 'UTC' (or the zone that the old application means)",
    "boolean": "({0}::text)::boolean",
}
_KINDS = {
    "p": "a partitioned table",
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "c": "a composite type",
    "S": "a sequence",
    "i": "an index",
}


_OLD_COLUMNS = ("assigned_engineer_id", "assigned_engineer_name", "assignment_tier", "assignment_tier_name")
"""Of service_tickets, dropped by the contract."""
TABLES = tuple(_COLUMNS)

_IS_CONTRACTED = """
SELECT to_regnamespace('baton') IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_class c
    WHERE c.relnamespace = to_regnamespace('baton') AND c.relname = 'engineer_assignments')"""
_RELATIONS = """
SELECT c.relname AS name, c.relkind::text AS kind, c.relpersistence = 'u' AS is_unlogged,
    EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS is_inherited,
    pg_has_role(c.relowner, 'USAGE') AS is_own, pg_get_userbyid(c.relowner) AS owner, current_user AS role,
    ARRAY(SELECT r.rulename FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '2') AS rules,
    EXISTS (
        SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'id'
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
          AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) AS has_key
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1::text[])"""
# Tables that may be meant: in another schema, or spelled otherwise, such as "ServiceTickets".
_LOOK_ALIKES = """
SELECT lower(replace(c.relname, '_', '')) AS name, n.nspname = 'public' AS is_public,
    n.oid::regnamespace || '.' || quote_ident(c.relname) AS address
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname !~ '^(pg_|information_schema$|baton(_kept|_legacy)?$)'
ORDER BY 3"""
_ATTRIBUTES = """
WITH RECURSIVE base AS (
    SELECT t.oid, t.oid AS base_oid, t.typbasetype, -1 AS typmod FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT b.oid, t.oid, t.typbasetype, t2.typtypmod
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype JOIN pg_type t2 ON t2.oid = b.base_oid
)
SELECT c.relname AS table_name, a.attname AS name, a.attnotnull AS is_not_null,
    a.attgenerated <> '' AS is_generated,
    format_type(a.atttypid, NULL) AS type,
    format_type(coalesce(b.base_oid, a.atttypid), NULL) AS base_type,
    CASE WHEN greatest(a.atttypmod, b.typmod) > 4 THEN greatest(a.atttypmod, b.typmod) - 4 END AS length,
    coalesce(l.collisdeterministic, true) AS is_deterministic
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN base b ON b.oid = a.atttypid AND b.typbasetype = 0
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1::text[])"""
_CHECKS = """
SELECT k.conname AS name, pg_get_expr(k.conbin, k.conrelid) AS expression
FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attname = 'status'
WHERE k.contype = 'c' AND k.conrelid = to_regclass('public.service_tickets') AND k.conkey = ARRAY[a.attnum]"""


async def problems(conn: Connection, *, must_own: bool = False, read_rows: bool = False) -> list[str]:
    """Return what is in the way; empty for a new database.

    `must_own`: the role of the connection must own the tables. `read_rows`: also look for values that make a
    row unusable, in one pass of each table.
    """
    relations = {row["name"]: row for row in await conn.fetch(_RELATIONS, TABLES)}
    look_alikes = defaultdict(list)
    for row in await conn.fetch(_LOOK_ALIKES):
        look_alikes[row["name"]].append((row["is_public"], row["address"]))
    if not relations and "servicetickets" not in look_alikes:
        return []
    result = [
        problem
        for table in TABLES
        for problem in (
            _relation_problems(relations[table], must_own=must_own)
            if table in relations
            else _missing_table_problems(table, look_alikes[table.replace("_", "")])
        )
    ]
    if all(row["kind"] == "r" for row in relations.values()):
        result += await _column_problems(conn, relations, read_rows=read_rows)
    return result


def _missing_table_problems(table: str, look_alikes: list[tuple[bool, str]]) -> Iterator[str]:
    for is_public, address in look_alikes:
        move = f"RENAME TO {table}" if is_public else "SET SCHEMA public"
        yield f"the table public.{table} does not exist, but {address} does: ALTER TABLE {address} {move}"
    if not look_alikes:
        yield (
            f"the table public.{table} does not exist, unlike others of the old application: create it as "
            "sql/migrations/0001_legacy.up.sql does"
        )


def _relation_problems(relation: Mapping[str, Any], *, must_own: bool) -> Iterator[str]:
    table = f"public.{relation['name']}"
    if relation["kind"] != "r":
        kind = _KINDS.get(relation["kind"], "not a table")
        yield f"{table} is {kind}: rename it, and make {table} an ordinary table with its rows"
        return
    if relation["is_inherited"]:
        yield f"{table} inherits from a table, or is inherited from: ALTER TABLE ... NO INHERIT"
    if relation["is_unlogged"]:
        yield f"{table} is unlogged, so it is lost in a crash: ALTER TABLE {table} SET LOGGED"
    if must_own and not relation["is_own"]:
        yield (
            f"{table} belongs to {relation['owner']}: run this as that role, or as a member of it "
            f"(GRANT {relation['owner']} TO {relation['role']})"
        )
    if relation["name"] == "service_tickets" and relation["rules"]:
        rules = ", ".join(relation["rules"])
        yield f"{table} has the rule {rules} for UPDATE: make it a trigger, because commands need RETURNING"
    if relation["name"] != "engineer_assignments" and not relation["has_key"]:
        yield f"{table} has no primary key (id): ALTER TABLE {table} ADD PRIMARY KEY (id)"


async def _column_problems(conn: Connection, relations: Mapping[str, Any], *, read_rows: bool) -> list[str]:
    contracted = await conn.fetchval(_IS_CONTRACTED)
    attributes: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in await conn.fetch(_ATTRIBUTES, TABLES):
        attributes[row["table_name"]][row["name"]] = row
    result: list[str] = []
    for table, columns in _COLUMNS.items():
        if table not in relations or (contracted and table == "engineer_assignments"):
            continue
        found = attributes[table]
        for name, column in columns.items():
            if not (contracted and name in _OLD_COLUMNS):
                result += _attribute_problems(table, name, column, found)
        if read_rows:
            result += await _row_problems(conn, table, found)
    if attributes["service_tickets"].get("status", {}).get("base_type") in _TEXT:
        result += await _check_problems(conn)
    return result


def _attribute_problems(table: str, name: str, column: _Column, found: Mapping[str, Any]) -> Iterator[str]:
    address, alter = f"public.{table}.{name}", f"ALTER TABLE public.{table}"
    if name not in found:
        similar = [n for n in found if n.lower().replace("_", "") == name.replace("_", "")]
        if similar:
            yield f'{address} does not exist: {alter} RENAME COLUMN "{similar[0]}" TO {name}'
        else:
            definition = " ".join(
                filter(None, [(column.types or ("text",))[0], _DEFAULTS.get((table, name))])
            )
            yield f"{address} does not exist: {alter} ADD COLUMN {name} {definition}"
        return
    attribute = found[name]
    if column.types and attribute["base_type"] not in column.types:
        wanted = column.types[0]
        using = _USING.get(wanted, f"{{0}}::{wanted}").format(name)
        yield (
            f"{address} is of type {attribute['type']}, not {' or '.join(column.types)}: {alter} "
            f"ALTER COLUMN {name} TYPE {wanted} USING {using}"
        )
    elif attribute["base_type"] == "character varying" and (attribute["length"] or 2**31) < column.min_length:
        yield (
            f"{address} has room for {attribute['length']} characters, not {column.min_length}: {alter} "
            f"ALTER COLUMN {name} TYPE varchar({column.min_length})"
        )
    if column.is_written and attribute["is_generated"]:
        yield f"{address} is generated, but commands write it: {alter} ALTER COLUMN {name} DROP EXPRESSION"
    if column.types and not attribute["is_deterministic"]:
        yield (
            f"{address} has a nondeterministic collation, with which LIKE and foreign keys fail: {alter} "
            f'ALTER COLUMN {name} TYPE {attribute["type"]} COLLATE "default"'
        )


async def _row_problems(conn: Connection, table: str, found: Mapping[str, Any]) -> list[str]:
    """Return the columns with values that make rows unusable, which the type of the column permits."""
    set_not_null = f"set a value, then ALTER TABLE public.{table} ALTER COLUMN"
    conditions = [
        (name, f"{name} IS NULL", f"is null in {{}} rows: {set_not_null} {name} SET NOT NULL")
        for name, column in _COLUMNS[table].items()
        if column.is_required and name in found and not found[name]["is_not_null"]
    ]
    if "id" in found and found["id"]["base_type"] in _TEXT and table != "engineer_assignments":
        text = f"has more than {_MAX_ID_LENGTH} characters in {{}} rows: shorten them"
        conditions.append(("id", f"length(id) > {_MAX_ID_LENGTH}", text))
    if not conditions:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for _, condition, _ in conditions)
    row = (await conn.fetch(f"SELECT {counts} FROM public.{table}"))[0]  # noqa: S608 - names of this module
    return [
        f"public.{table}.{name} {text.format(count)}"
        for (name, _, text), count in zip(conditions, row, strict=True)
        if count
    ]


async def _check_problems(conn: Connection) -> list[str]:
    result = []
    for name, expression in await conn.fetch(_CHECKS):
        refused = await conn.fetch(
            f"SELECT status FROM unnest($1::text[]) AS t (status) WHERE NOT ({expression})",  # noqa: S608
            _STATUSES,
        )
        if refused:
            result.append(
                f"the constraint {name} of public.service_tickets does not allow the status "
                f"{', '.join(row[0] for row in refused)}, which commands set: allow it"
            )
    return result
