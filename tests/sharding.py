"""Analyses which tables and statements allow sharding by ticket (docs/scale.md).

`python -m tests.sharding` prints the result; tests/contracts/test_sharding.py checks it.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import ast, parse_plpgsql, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType
from pglast.parser import ParseError
from pglast.visitors import Visitor

from app.db import sql
from app.db.connections import Connection, connect
from tests.databases import migrate_whole, new_database, new_server

DISTRIBUTED = {
    "service_tickets": "id",
    "engineer_assignments": "ticket_id",
    "ticket_details": "ticket_id",
    "ticket_events": "ticket_id",
    "ticket_notes": "ticket_id",
    "assignment_migration": "ticket_id",
}
"""Tables that grow with the tickets, and their distribution column."""

REFERENCE = {
    "engineers": "Thousands; joined to everything, so each machine has them all.",
    "equipment": "Joined to tickets; not written by this product.",
    "assignment_tiers": "Five rows.",
    "engineer_tiers": "A few rows for each engineer.",
    "hourly_rates": "A few rows for each engineer.",
}
"""Reference tables, copied to each machine, and why."""

LOCAL = {
    "idempotency_keys": "A key is unique over all tickets; its days are dropped.",
    "ticket_external_ids": "An id is unique over all tickets.",
    "ticket_event_gaps": "Written by a trigger that must not fail.",
    "dropped_events": "One row, written by the owner.",
    "baton_migrations": "Used by the migrator.",
    "assignment_migration_state": "One row, of the migration from the old application.",
    "assignment_migration_issues": "Of the migration from the old application; a row may have no ticket.",
}
"""Local tables, on the coordinator only, and why."""

KEYS = {
    "engineer_assignments_pkey": "ids are random; becomes PRIMARY KEY (ticket_id, id).",
    "service_tickets_ticket_number_key": "the source of the numbers makes them unique; becomes an index.",
    "ticket_details_created_number": "the sequence makes new numbers unique; is dropped.",
}
"""Unique keys of distributed tables without the ticket: why, and what they become."""

FOREIGN_KEYS = {
    "assignment_events_assignment_id_fkey": "becomes (ticket_id, assignment_id), to the new primary key."
}

LOCKS = {
    "assignments.save_changes": "writes several tickets: becomes one statement for each (MAX_COMMANDS = 1).",
    "tickets.lock_ticket": "may look up the ticket by assignment id: becomes two statements.",
    "tickets.lock_ticket_to_resume": "finds any such ticket: becomes a query of all, then a lock by ticket.",
    "tickets.lock_ticket_to_close": "as above.",
    "new_tickets.insert_ticket": "inserts one ticket: its id becomes a parameter.",
    "record_foreign_change()": "a trigger on a ticket: writes only rows of that ticket.",
    "overdue.lock_overdue_ticket": "finds any overdue ticket: becomes a query of all, then a lock by ticket.",
}
"""Statements that lock or write rows without a ticket as parameter, and what they become."""


JOINS = {
    "overdue.overdue_assignment": "counts assignments of all tickets by engineer: becomes two statements.",
    "assignments.ticket_snapshots": "may look up the ticket by assignment id: becomes two statements.",
    "tickets.lock_ticket": "as above.",
    "new_tickets.new_ticket_snapshot": "looks up several tickets by key: becomes a statement for each.",
    "new_tickets.insert_ticket": "writes one ticket: all parts get its id as parameter.",
    "assignment_migration_report()": "compares old and new rows: runs before the tables are distributed.",
    "engineers.suggested_engineers": "counts assignments of all tickets by engineer: becomes two statements.",
}
"""Statements that join distributed tables by another column, and what they become."""

REPORTS = ("billing", "statistics")
"""Files with reports over all tickets of a period: each machine aggregates its part."""


@dataclass
class Statement:
    """A statement and its use of distributed tables."""

    name: str
    tables: dict[str, str] = field(default_factory=dict)
    """Distributed tables by alias."""
    written: list[str] = field(default_factory=list)
    """Aliases of distributed tables that it writes without a ticket as parameter."""
    locks: bool = False
    writes: bool = False
    equal: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """Columns and parameters that a condition sets equal."""

    def closure(self, start: tuple[str, str]) -> set[tuple[str, str]]:
        """Return all columns and parameters that are equal to `start`."""
        seen, todo = set(), [start]
        while todo:
            if (node := todo.pop()) not in seen:
                seen.add(node)
                todo.extend(self.equal[node])
        return seen

    @property
    def groups(self) -> list[set[tuple[str, str]]]:
        """Groups of equal columns with the distribution columns; one group if all are joined by ticket."""
        groups: list[set[tuple[str, str]]] = []
        for alias, table in self.tables.items():
            node = (alias, DISTRIBUTED[table])
            if not any(node in group for group in groups):
                groups.append(self.closure(node))
        return groups

    @property
    def reads(self) -> str:
        if not self.tables:
            return "no ticket"
        kinds = {kind for group in self.groups for kind, _ in group}
        if all(any(kind == "$" for kind, _ in group) for group in self.groups):
            return "one ticket"
        if "$[]" in kinds:
            return "several tickets"
        return "every machine" if len(self.groups) == 1 else "every machine, not joined by ticket"


def _name(node: ast.Node) -> tuple[str, str] | None:
    """Return a column with its table alias, or a parameter as `$`."""
    if isinstance(node, ast.ColumnRef) and len(node.fields) == 2 and isinstance(node.fields[1], ast.String):
        return node.fields[0].sval, node.fields[1].sval
    if isinstance(node, ast.ParamRef):
        return "$", str(node.number)
    if isinstance(node, ast.TypeCast):
        return _name(node.arg)
    return None


def _is_optional(ancestors: Any) -> bool:
    """Whether a condition is part of an OR or a NOT, so that it need not hold for all rows."""
    while ancestors is not None and not isinstance(ancestors.node, ast.SelectStmt):
        if isinstance(ancestors.node, ast.BoolExpr) and ancestors.node.boolop != BoolExprType.AND_EXPR:
            return True
        ancestors = ancestors.parent
    return False


class _Reader(Visitor):
    def __init__(self, statement: Statement, ctes: set[str]) -> None:
        self.statement = statement
        self.ctes = ctes

    def _equal(self, one: tuple[str, str] | None, other: tuple[str, str] | None) -> None:
        if one and other:
            self.statement.equal[one].add(other)
            self.statement.equal[other].add(one)

    def visit_RangeVar(self, ancestors: Any, node: ast.RangeVar) -> None:  # noqa: N802 - pglast's names
        is_target = isinstance(ancestors.node, ast.InsertStmt)
        if node.relname in DISTRIBUTED and node.relname not in self.ctes and not is_target:
            self.statement.tables[node.alias.aliasname if node.alias else node.relname] = node.relname

    def visit_LockingClause(self, *_: Any) -> None:  # noqa: N802
        self.statement.locks = True

    def visit_A_Expr(self, ancestors: Any, node: ast.A_Expr) -> None:  # noqa: N802
        if node.name[-1].sval != "=" or _is_optional(ancestors):
            return
        left, right = _name(node.lexpr), _name(node.rexpr)
        if node.kind == A_Expr_Kind.AEXPR_OP_ANY and right and right[0] == "$":
            right = ("$[]", right[1])
        if node.kind in (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY):
            self._equal(left, right)
        for column, other in ((left, node.rexpr), (right, node.lexpr)):
            if isinstance(other, ast.SubLink) and column:
                self._equal(column, _name(other.subselect.targetList[0].val))

    def _output(self, alias: str, query: ast.Node) -> None:
        """Relate the columns of a subquery to those of its alias."""
        for target in getattr(query, "targetList", None) or ():
            inner = _name(target.val)
            if inner:
                self._equal((alias, target.name or inner[1]), inner)

    def visit_RangeSubselect(self, _: Any, node: ast.RangeSubselect) -> None:  # noqa: N802
        self._output(node.alias.aliasname, node.subquery)

    def visit_CommonTableExpr(self, _: Any, node: ast.CommonTableExpr) -> None:  # noqa: N802
        self._output(node.ctename, node.ctequery)

    def visit_UpdateStmt(self, _: Any, node: ast.UpdateStmt) -> None:  # noqa: N802
        self._write(node.relation)

    def visit_DeleteStmt(self, _: Any, node: ast.DeleteStmt) -> None:  # noqa: N802
        self._write(node.relation)

    def _write(self, relation: ast.RangeVar) -> None:
        if relation.relname in DISTRIBUTED:
            self.statement.writes = True
            self.statement.written.append(relation.alias.aliasname if relation.alias else relation.relname)

    def visit_InsertStmt(self, _: Any, node: ast.InsertStmt) -> None:  # noqa: N802
        table = node.relation.relname
        if table not in DISTRIBUTED:
            return
        self.statement.writes = True
        # A separate alias: conditions on the table elsewhere do not apply to the new rows.
        alias = f"new {table} {len(self.statement.written)}"
        self.statement.tables[alias] = table
        self.statement.written.append(alias)
        columns = [column.name for column in node.cols or ()]
        if DISTRIBUTED[table] in columns and node.selectStmt.targetList:
            value = node.selectStmt.targetList[columns.index(DISTRIBUTED[table])].val
            self._equal((alias, DISTRIBUTED[table]), _name(value))


def read(name: str, text: str) -> Statement:
    """Raises ParseError."""
    statement = Statement(name)
    tree = parse_sql(text)
    ctes = set(re.findall(r"(?:WITH|,)\s+(\w+) AS (?:MATERIALIZED )?\(", text))
    aliases = {alias: cte for cte, alias in re.findall(r"(?:FROM|JOIN)\s+(\w+) (\w+)\b", text) if cte in ctes}
    reader = _Reader(statement, ctes)
    reader(tree)
    for alias, cte in aliases.items():
        for owner, column in list(statement.equal):
            if owner == cte:
                reader._equal((alias, column), (cte, column))
    statement.written = [
        alias
        for alias in statement.written
        if not any(
            kind == "$" for kind, _ in statement.closure((alias, DISTRIBUTED[statement.tables[alias]]))
        )
    ]
    return statement


def statements() -> Iterator[Statement]:
    for file in sorted(sql.QUERIES.glob("*.sql")):
        for name, (_, text) in sql.statements(file.stem).items():
            if not text.split("\n")[-1].startswith("ANALYZE"):  # runs on each machine
                yield read(f"{file.stem}.{name}", text)


FUNCTIONS = """
SELECT p.proname, l.lanname, p.prosrc, pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1"""


async def statements_in_functions(conn: Connection) -> list[Statement]:
    """Return the statements in functions of the database, except dynamic SQL."""
    result = []
    for name, language, source, definition in await conn.fetch(FUNCTIONS):
        texts = [source] if language == "sql" else list(_queries(parse_plpgsql(definition)))
        for text in texts:
            try:
                result.append(read(f"{name}()", text))
            except ParseError:  # an expression or an assignment
                value = re.sub(r"^[\w.]+\s*:=\s*", "", text)
                result.append(read(f"{name}()", f"SELECT {value}"))
    return result


def _queries(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "PLpgSQL_expr" in part:
            yield part["PLpgSQL_expr"]["query"]
        for inner in part.values():
            yield from _queries(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _queries(inner)


KEYS_OF_TABLES = """
SELECT c.relname AS table, i.indexrelid::regclass::text AS name,
    ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND NOT c.relispartition
ORDER BY 1, 2"""
TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"""
FOREIGN_KEYS_OF_TABLES = """
SELECT f.conname, f.conrelid::regclass::text, f.confrelid::regclass::text,
    ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey))
FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
WHERE f.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition ORDER BY 1"""


async def keys_without_ticket(conn: Connection) -> set[str]:
    """Return the unique indexes of distributed tables without the distribution column."""
    return {
        name
        for table, name, columns in await conn.fetch(KEYS_OF_TABLES)
        if table in DISTRIBUTED and DISTRIBUTED[table] not in columns
    }


async def foreign_keys_without_ticket(conn: Connection) -> set[str]:
    """Return the foreign keys that may refer to a row on another machine."""
    return {
        name
        for name, table, to, columns in await conn.fetch(FOREIGN_KEYS_OF_TABLES)
        if (table in DISTRIBUTED and to in DISTRIBUTED and DISTRIBUTED[table] not in columns)
        or (table in DISTRIBUTED and to in LOCAL)
        or (table not in DISTRIBUTED and to in DISTRIBUTED)
    }


def writes_without_ticket(statements: list[Statement]) -> set[str]:
    """Return the statements that lock or write rows without a ticket as parameter."""
    return {s.name for s in statements if (s.locks and s.reads != "one ticket") or s.written}


def joins_without_ticket(statements: list[Statement]) -> set[str]:
    """Return the statements, except reports, that join distributed tables by another column."""
    return {
        s.name
        for s in statements
        if s.reads.endswith("not joined by ticket") and s.name.partition(".")[0] not in REPORTS
    }


async def report(conn: Connection) -> list[str]:
    """Return lines of text; `!!` marks what no table above explains."""
    all_statements = [*statements(), *await statements_in_functions(conn)]
    tables = {row[0] for row in await conn.fetch(TABLES)}
    lines = ["Tables"]
    for title, group in (
        ("by ticket", DISTRIBUTED),
        ("on each machine", REFERENCE),
        ("on one machine", LOCAL),
    ):
        lines += [f"  {title:<16} {table:<30} {why}" for table, why in group.items() if table in tables]
    for title, names, reasons in (
        ("Keys without the ticket", await keys_without_ticket(conn), KEYS),
        ("Foreign keys without the ticket", await foreign_keys_without_ticket(conn), FOREIGN_KEYS),
        ("Statements that lock or write rows without a ticket as parameter",
         writes_without_ticket(all_statements), LOCKS),
        ("Statements that join distributed tables by another column",
         joins_without_ticket(all_statements), JOINS),
    ):  # fmt: skip
        lines += [title, *(f"  {name:<47} {reasons.get(name, '!!')}" for name in sorted(names))]
    lines.append("Statements, and the machines that execute them")
    for s in all_statements:
        if s.tables and not s.name.endswith("()"):
            does = "writes" if s.writes else "locks" if s.locks else "reads"
            lines.append(f"  {s.name:<47} {does:<7} {s.reads}")
    return lines


async def _main() -> None:
    with new_server() as server:
        async with new_database(server) as url:
            await migrate_whole(url)
            async with connect(url) as conn:
                print("\n".join(await report(conn)))  # noqa: T201 - the purpose of the module


if __name__ == "__main__":
    asyncio.run(_main())
