"""Loads many rows at once with COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.db.connections import Tx


async def copy_rows(tx: Tx, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Append `rows`, with values in the order of `columns`. Other columns get their defaults."""
    await tx.copy_records_to_table(table, columns=columns, records=rows)
