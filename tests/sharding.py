"""What a database that is spread over machines by ticket asks of tables and statements (docs/scale.md).

`python -m tests.sharding` prints how each stands to it; tests/contracts/test_sharding.py holds it.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pglast import ast, parse_plpgsql, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType
from pglast.parser import ParseError
from pglast.visitors import Visitor

from app.db import sql
from app.db.connections import connect
from tests.databases import migrate_whole, new_database, new_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.db.connections import Connection

SPREAD = {
    "service_tickets": "id",
    "engineer_assignments": "ticket_id",
    "assignment_events": "ticket_id",
    "assignment_migration": "ticket_id",
}
"""The tables that grow with the tickets, and the column that says on which machine a row lies."""

REFERENCE = {
    "engineers": "Thousands; joined to everything, so each machine has them all.",
    "equipment": "Joined to tickets, written by nobody here.",
    "assignment_tiers": "Five rows.",
    "engineer_tiers": "A few rows for each engineer.",
    "hourly_rates": "A few rows for each engineer.",
}
"""A copy on each machine, and why."""

LOCAL = {
    "idempotency_keys": "A key is one promise over all tickets, so it cannot lie by ticket; its days go.",
    "dropped_events": "One row, of the owner's.",
    "schema_migrations": "The migrator's.",
    "assignment_migration_state": "One row, of the migration from the old application.",
    "assignment_migration_issues": "Of the migration from the old application; it may name no ticket.",
}
"""On one machine, the coordinator, and why."""

KEYS = {
    "engineer_assignments_pkey": "ids are random; becomes PRIMARY KEY (ticket_id, id).",
    "service_tickets_ticket_number_key": "who makes the numbers makes each once; becomes an index.",
}
"""Keys of spread tables without the ticket: why it is well so here, and what they become."""

FOREIGN_KEYS = {
    "assignment_events_assignment_id_fkey": "becomes (ticket_id, assignment_id), to the new primary key.",
}

LOCKS = {
    "tickets.lock_ticket": "may find the ticket by the assignment's id: two statements there.",
    "overdue.lock_overdue_ticket": "looks for any ticket that is due: asks all, then locks by ticket.",
}
"""Statements that lock a row of a ticket that they do not name, and what they become."""


JOINS = {
    "overdue.overdue_assignment": "counts what engineers hold, of all tickets: two statements there.",
    "assignments.ticket_snapshot": "may find the ticket by the assignment's id: two statements there.",
    "tickets.lock_ticket": "the same.",
    "engineers.suggested_engineers": "counts what engineers hold, of all tickets: two statements there.",
}
"""Statements that join tickets by something else, and what they become."""

REPORTS = ("billing", "statistics")
"""Files of statements that read all tickets of a period: added up from what each machine counts."""


@dataclass
class Statement:
    """One statement and how it stands to the tickets."""

    name: str
    tables: dict[str, str] = field(default_factory=dict)
    """By alias, the spread tables."""
    written: list[str] = field(default_factory=list)
    """Spread tables that it writes without saying by a parameter of which ticket."""
    locks: bool = False
    writes: bool = False
    same: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """Which columns and parameters are set equal to which."""

    def reach(self, start: tuple[str, str]) -> set[tuple[str, str]]:
        seen, todo = set(), [start]
        while todo:
            if (node := todo.pop()) not in seen:
                seen.add(node)
                todo.extend(self.same[node])
        return seen

    @property
    def groups(self) -> list[set[tuple[str, str]]]:
        """The spread tables with all that their tickets are equal to; one group when joined by ticket."""
        found: list[set[tuple[str, str]]] = []
        for alias, table in self.tables.items():
            node = (alias, SPREAD[table])
            if not any(node in group for group in found):
                found.append(self.reach(node))
        return found

    @property
    def reads(self) -> str:
        if not self.tables:
            return "no ticket"
        kinds = {kind for group in self.groups for kind, _ in group}
        if all(any(kind == "$" for kind, _ in group) for group in self.groups):
            return "one ticket"
        if "$[]" in kinds:
            return "the tickets that are named"
        return "every machine" if len(self.groups) == 1 else "every machine, not joined by ticket"


def _name(node: ast.Node) -> tuple[str, str] | None:
    """A column with its table's alias, a parameter as `$`, an array of them as `$[]`."""
    if isinstance(node, ast.ColumnRef) and len(node.fields) == 2 and isinstance(node.fields[1], ast.String):
        return node.fields[0].sval, node.fields[1].sval
    if isinstance(node, ast.ParamRef):
        return "$", str(node.number)
    if isinstance(node, ast.TypeCast):
        return _name(node.arg)
    return None


def _is_optional(ancestors: Any) -> bool:
    """Whether a condition is one side of an OR, or within a NOT; then it says nothing of all rows."""
    while ancestors is not None and not isinstance(ancestors.node, ast.SelectStmt):
        if isinstance(ancestors.node, ast.BoolExpr) and ancestors.node.boolop != BoolExprType.AND_EXPR:
            return True
        ancestors = ancestors.parent
    return False


class _Reader(Visitor):
    def __init__(self, statement: Statement, ctes: set[str]) -> None:
        self.found = statement
        self.ctes = ctes

    def _equal(self, one: tuple[str, str] | None, other: tuple[str, str] | None) -> None:
        if one and other:
            self.found.same[one].add(other)
            self.found.same[other].add(one)

    def visit_RangeVar(self, ancestors: Any, node: ast.RangeVar) -> None:  # noqa: N802 - pglast's names
        is_target = isinstance(ancestors.node, ast.InsertStmt)
        if node.relname in SPREAD and node.relname not in self.ctes and not is_target:
            self.found.tables[node.alias.aliasname if node.alias else node.relname] = node.relname

    def visit_LockingClause(self, *_: Any) -> None:  # noqa: N802
        self.found.locks = True

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
        """The columns of a query, seen from outside under `alias`."""
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
        if relation.relname in SPREAD:
            self.found.writes = True
            self.found.written.append(relation.alias.aliasname if relation.alias else relation.relname)

    def visit_InsertStmt(self, _: Any, node: ast.InsertStmt) -> None:  # noqa: N802
        table = node.relation.relname
        if table not in SPREAD:
            return
        self.found.writes = True
        # Its alias may be that of another part, too, and what holds there says nothing of the new rows.
        alias = f"new {table} {len(self.found.written)}"
        self.found.tables[alias] = table
        self.found.written.append(alias)
        columns = [column.name for column in node.cols or ()]
        if SPREAD[table] in columns and node.selectStmt.targetList:
            value = node.selectStmt.targetList[columns.index(SPREAD[table])].val
            self._equal((alias, SPREAD[table]), _name(value))


def read(name: str, text: str) -> Statement:
    """Raises ParseError."""
    statement = Statement(name)
    tree = parse_sql(text)
    ctes = set(re.findall(r"(?:WITH|,)\s+(\w+) AS (?:MATERIALIZED )?\(", text))
    aliases = {alias: cte for cte, alias in re.findall(r"(?:FROM|JOIN)\s+(\w+) (\w+)\b", text) if cte in ctes}
    reader = _Reader(statement, ctes)
    reader(tree)
    for alias, cte in aliases.items():
        for owner, column in list(statement.same):
            if owner == cte:
                reader._equal((alias, column), (cte, column))
    statement.written = [
        alias
        for alias in statement.written
        if not any(kind == "$" for kind, _ in statement.reach((alias, SPREAD[statement.tables[alias]])))
    ]
    return statement


def statements() -> Iterator[Statement]:
    for file in sorted(sql.QUERIES.glob("*.sql")):
        for name, (_, text) in sql.statements(file.stem).items():
            if not text.split("\n")[-1].startswith("ANALYZE"):  # each machine does it for itself
                yield read(f"{file.stem}.{name}", text)


FUNCTIONS = """
SELECT p.proname, l.lanname, p.prosrc, pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1"""


async def of_functions(conn: Connection) -> list[Statement]:
    """The statements within functions of the database, but for what they put together at run time."""
    found = []
    for name, language, source, definition in await conn.fetch(FUNCTIONS):
        texts = [source] if language == "sql" else list(_queries(parse_plpgsql(definition)))
        for text in texts:
            try:
                found.append(read(f"{name}()", text))
            except ParseError:  # an expression or an assignment
                value = re.sub(r"^[\w.]+\s*:=\s*", "", text)
                found.append(read(f"{name}()", f"SELECT {value}"))
    return found


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


async def unkeyed(conn: Connection) -> set[str]:
    """The unique indexes of spread tables that lack the ticket."""
    return {
        name
        for table, name, columns in await conn.fetch(KEYS_OF_TABLES)
        if table in SPREAD and SPREAD[table] not in columns
    }


async def crossing(conn: Connection) -> set[str]:
    """The foreign keys that a spread table cannot have: to another's row on perhaps another machine."""
    return {
        name
        for name, table, to, columns in await conn.fetch(FOREIGN_KEYS_OF_TABLES)
        if (table in SPREAD and to in SPREAD and SPREAD[table] not in columns)
        or (table in SPREAD and to in LOCAL)
        or (table not in SPREAD and to in SPREAD)
    }


def astray(found: list[Statement]) -> set[str]:
    """The statements that lock or write a row of a ticket that no parameter names."""
    return {s.name for s in found if (s.locks and s.reads != "one ticket") or s.written}


def unjoined(found: list[Statement]) -> set[str]:
    """The queries, reports left out, that bring rows of tickets together by anything but the ticket."""
    return {
        s.name
        for s in found
        if s.reads.endswith("not joined by ticket") and s.name.partition(".")[0] not in REPORTS
    }


async def report(conn: Connection) -> Iterator[str]:
    found = [*statements(), *await of_functions(conn)]
    tables = {row[0] for row in await conn.fetch(TABLES)}
    lines = ["Tables"]
    for title, of in (("by ticket", SPREAD), ("on each machine", REFERENCE), ("on one machine", LOCAL)):
        lines += [f"  {title:<16} {table:<30} {why}" for table, why in of.items() if table in tables]
    lines += [
        "Keys without the ticket",
        *(f"  {name:<47} {KEYS.get(name, '!!')}" for name in sorted(await unkeyed(conn))),
    ]
    lines += ["Foreign keys without the ticket"]
    lines += [f"  {name:<47} {FOREIGN_KEYS.get(name, '!!')}" for name in sorted(await crossing(conn))]
    lines += ["Statements that lock or write a ticket that they do not name"]
    lines += [f"  {name:<47} {LOCKS.get(name, '!!')}" for name in sorted(astray(found))]
    lines += ["Statements that join tickets by something else"]
    lines += [f"  {name:<47} {JOINS.get(name, '!!')}" for name in sorted(unjoined(found))]
    lines += ["Statements, and where they are answered"]
    for s in found:
        if s.tables and not s.name.endswith("()"):
            does = "writes" if s.writes else "locks" if s.locks else "reads"
            lines.append(f"  {s.name:<47} {does:<7} {s.reads}")
    return iter(lines)


async def _main() -> None:
    with new_server() as server:
        async with new_database(server) as url:
            await migrate_whole(url)
            async with connect(url) as conn:
                print("\n".join(await report(conn)))  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(_main())
