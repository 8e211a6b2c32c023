"""The contracts that are kept as text: the GraphQL schema, trusted documents, rules of the UI, SQL schema.

`python -m tests.snapshots` writes them and the diagrams of documents; tests compare them with the code.
"""

import asyncio
import json
import re
import subprocess
from pathlib import Path

from graphql import parse, print_ast, separate_operations, strip_ignored_characters

from app.db.connections import connect
from app.demo.embedded_postgres import find_binaries
from app.domain.lifecycle import ALLOWED_FROM, TERMINAL_TICKET_STATUSES, Action
from app.domain.model import TIER_NAMES, AssignmentStatus, TicketStatus
from app.domain.policy import PERMISSIONS
from app.graphql.admission.trusted_documents import MANIFESTS, hash_of
from app.graphql.schema import sdl
from tests import diagrams, names
from tests.databases import migrate_whole, new_server

ROOT = Path(__file__).parents[1]
SCHEMA_GRAPHQL = ROOT / "schema.graphql"
SCHEMA_SQL = ROOT / "sql" / "schema.sql"
MOBILE_JSON = MANIFESTS / "mobile.json"
RULES_JSON = ROOT / "admin-ui" / "src" / "shared" / "rules.json"

# Comments and session settings of pg_dump; only the objects matter.
_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)


def mobile_manifest() -> str:
    """Return the mobile client's operations, with the fragments they use, by the SHA-256 of their text."""
    document = parse((MANIFESTS / "mobile.graphql").read_text(encoding="utf-8"))
    texts = [
        strip_ignored_characters(print_ast(operation)) for operation in separate_operations(document).values()
    ]
    return json.dumps({f"sha256:{hash_of(text)}": text for text in texts}, indent=2) + "\n"


def rules() -> str:
    """Return who may do which action from which status, as the UI reads it, in the names of the API."""
    table = {
        "tiers": TIER_NAMES,
        "terminalTicketStatuses": [
            status.name for status in TicketStatus if status in TERMINAL_TICKET_STATUSES
        ],
        "allowedFrom": {
            action.name: [status.name for status in AssignmentStatus if status in allowed]
            for action, allowed in ALLOWED_FROM.items()
        },
        "permissions": {
            role.name: {action.name: permissions[action].name for action in Action}
            for role, permissions in PERMISSIONS.items()
        },
    }
    return json.dumps(table, indent=2) + "\n"


def dump(url: str) -> str:
    """Return the schema of a migrated database without the migrator's own table."""
    process = subprocess.run(
        [
            find_binaries() / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--schema=public",
            "--exclude-table=baton_migrations",
            # A view for the release before. PostgreSQL 18 prints the names of its columns without the table.
            "--exclude-table=assignment_events",
            # Partitions are created and dropped over time.
            "--exclude-table=ticket_events_(before|default)",
            "--exclude-table=idempotency_keys_(before|default)",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    objects = re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", process.stdout)).strip()
    return f"-- The schema after all migrations. Made by `make fix`; compared in tests.\n\n{objects}\n"


async def _write_database_snapshots(url: str) -> None:
    await migrate_whole(url)
    SCHEMA_SQL.write_text(dump(url), encoding="utf-8")
    async with connect(url) as conn:
        data = await diagrams.render_data(diagrams.DATA.read_text(encoding="utf-8"), conn)
    diagrams.DATA.write_text(data, encoding="utf-8")


if __name__ == "__main__":
    SCHEMA_GRAPHQL.write_text(sdl(), encoding="utf-8")
    MOBILE_JSON.write_text(mobile_manifest(), encoding="utf-8")
    RULES_JSON.write_text(rules(), encoding="utf-8")
    workflow = diagrams.render_workflow(diagrams.WORKFLOW.read_text(encoding="utf-8"))
    diagrams.WORKFLOW.write_text(workflow, encoding="utf-8")
    with new_server() as server_url:
        names.NAMES.write_text(asyncio.run(names.collect(server_url)), encoding="utf-8")
        asyncio.run(_write_database_snapshots(server_url))
