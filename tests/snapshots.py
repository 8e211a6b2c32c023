"""The contracts that are kept as text: what clients see and ask, what pages offer, what the database holds.

`python -m tests.snapshots` writes them anew, and the pictures of documents; tests compare them with the code.
"""

from __future__ import annotations

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
from app.graphql.admission.trusted_documents import MANIFESTS, name_of
from app.graphql.schema import sdl
from tests import diagrams
from tests.databases import migrate_whole, new_server

ROOT = Path(__file__).parents[1]
SCHEMA_GRAPHQL = ROOT / "schema.graphql"
SCHEMA_SQL = ROOT / "sql" / "schema.sql"
MOBILE_JSON = MANIFESTS / "mobile.json"
RULES_JSON = ROOT / "admin-ui" / "src" / "shared" / "rules.json"

# What pg_dump says of itself and of its session; only the objects matter.
_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)


def mobile_manifest() -> str:
    """The mobile client's operations, each with the fragments that it uses, by the SHA-256 of their text."""
    document = parse((MANIFESTS / "mobile.graphql").read_text(encoding="utf-8"))
    texts = [strip_ignored_characters(print_ast(one)) for one in separate_operations(document).values()]
    return json.dumps({f"sha256:{name_of(text)}": text for text in texts}, indent=2) + "\n"


def rules() -> str:
    """Who may do what from where, in the API's names: the pages offer nothing else."""
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
            role.name: {action.name: may[action].name for action in Action}
            for role, may in PERMISSIONS.items()
        },
    }
    return json.dumps(table, indent=2) + "\n"


def dump(url: str) -> str:
    """The schema of a migrated database, the migrator's own table left out."""
    done = subprocess.run(
        [
            find_binaries() / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--schema=public",
            "--exclude-table=schema_migrations",
            # Partitions come and go with time.
            "--exclude-table=assignment_events_(before|default)",
            "--exclude-table=idempotency_keys_(before|default)",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    objects = re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", done.stdout)).strip()
    return f"-- The schema after all migrations. Made by `make fix`; compared in tests.\n\n{objects}\n"


async def _write_what_the_database_says(url: str) -> None:
    await migrate_whole(url)
    SCHEMA_SQL.write_text(dump(url), encoding="utf-8")
    async with connect(url) as conn:
        drawn = await diagrams.drawn_data(diagrams.DATA.read_text(encoding="utf-8"), conn)
    diagrams.DATA.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    SCHEMA_GRAPHQL.write_text(sdl(), encoding="utf-8")
    MOBILE_JSON.write_text(mobile_manifest(), encoding="utf-8")
    RULES_JSON.write_text(rules(), encoding="utf-8")
    drawn = diagrams.drawn_workflow(diagrams.WORKFLOW.read_text(encoding="utf-8"))
    diagrams.WORKFLOW.write_text(drawn, encoding="utf-8")
    with new_server() as server_url:
        asyncio.run(_write_what_the_database_says(server_url))
