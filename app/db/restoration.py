"""Whether the values of the old columns, which `down` restores after the contract, fit into them.

It is tried on a temporary copy of the table of tickets, with the types and constraints of the old columns,
before anything is changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.db.connections import rolled_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.db.connections import Connection

_NAMED = 10
_BATCH = 1000
_INSTEAD = (2, 3, 4)

_IS_CONTRACTED = """
SELECT to_regprocedure('baton_legacy.restored(varchar[])') IS NOT NULL
    AND to_regclass('baton.engineer_assignments') IS NULL"""
_COPY = """
CREATE TEMP TABLE restored_tickets (LIKE public.service_tickets INCLUDING CONSTRAINTS);
CREATE TEMP TABLE rejected_columns (ticket_id varchar(64) PRIMARY KEY, reason text NOT NULL);
CREATE FUNCTION pg_temp.columns_of(tickets varchar(64)[], choice int)
RETURNS TABLE (id varchar(64), columns jsonb) LANGUAGE sql AS $$
    -- 1: what should be written. Then what may be written instead: 2: without the engineer's name, 3: without
    -- the engineer, 4: as before the contract.
    SELECT v.id, CASE choice WHEN 1 THEN v.columns
        WHEN 2 THEN v.columns || jsonb_build_object(
            'assigned_engineer_name', v.without_engineer->'assigned_engineer_name')
        WHEN 3 THEN v.without_engineer
        ELSE to_jsonb(o) - '{id,last_sequence,last_status}'::text[] END
    FROM baton_legacy.restored(tickets) v LEFT JOIN baton_legacy.old_columns o USING (id)
    WHERE choice < 4 OR o.id IS NOT NULL
$$;
CREATE FUNCTION pg_temp.try_columns(tickets varchar(64)[], choice int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO restored_tickets
    SELECT r.* FROM pg_temp.columns_of(tickets, choice) v JOIN public.service_tickets t USING (id)
    CROSS JOIN LATERAL jsonb_populate_record(NULL::restored_tickets, to_jsonb(t) || v.columns) AS r;
EXCEPTION WHEN integrity_constraint_violation OR data_exception OR raise_exception THEN
    IF cardinality(tickets) = 1 THEN
        INSERT INTO rejected_columns VALUES (tickets[1], SQLERRM) ON CONFLICT DO NOTHING;
    ELSE
        PERFORM pg_temp.try_columns(tickets[:cardinality(tickets) / 2], choice);
        PERFORM pg_temp.try_columns(tickets[cardinality(tickets) / 2 + 1:], choice);
    END IF;
END $$"""
_DEFINITIONS = """
SELECT d.kind, d.statement FROM baton_legacy.old_definitions d
WHERE d.statement NOT LIKE '% VALIDATE CONSTRAINT %'
  AND (d.kind IN ('column', 'not null', 'constraint') OR d.statement LIKE 'CREATE UNIQUE INDEX %')
  -- A constraint that was never validated is added after the values.
  AND (d.statement NOT LIKE '% NOT VALID' OR EXISTS (
      SELECT FROM baton_legacy.old_definitions v
      WHERE v.name = d.name AND v.statement LIKE '% VALIDATE CONSTRAINT %'))
ORDER BY d.position"""
_TICKETS = "SELECT t.id FROM public.service_tickets t WHERE t.id > $1 ORDER BY t.id LIMIT $2"
_TRY = "SELECT pg_temp.try_columns($1::varchar[], $2)"
_REJECTED = "SELECT r.ticket_id, r.reason FROM rejected_columns r ORDER BY 1"
_COLUMNS = "SELECT v.columns::text FROM pg_temp.columns_of($1::varchar[], $2) v"
_SET_ASIDE = """
INSERT INTO baton.set_aside_columns (ticket_id, wanted, written, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (ticket_id) DO UPDATE
SET wanted = excluded.wanted, written = excluded.written, reason = excluded.reason, set_aside_at = now()"""
_REJECT_BY_KEY = """
WITH rejected AS (
    DELETE FROM restored_tickets WHERE id = ANY ($1::varchar[])
      AND {1} NOT IN (SELECT {3} FROM {2})
    RETURNING id
)
INSERT INTO rejected_columns SELECT r.id, $$violates foreign key constraint "{0}"$$ FROM rejected r"""
_ALTER = "ALTER TABLE public.service_tickets "
_FOREIGN_KEY = re.compile(r'ADD CONSTRAINT "?(.*?)"? FOREIGN KEY (\(.*?\)) REFERENCES ([^(]+)\((.*?)\)')


async def problems(conn: Connection, *, set_aside: bool = False) -> list[str]:
    """Return the tickets with values that do not fit; empty before the contract.

    With `set_aside`, chooses what is written instead, and records the rest in baton.set_aside_columns; what
    remains has no choice that fits.
    """
    if not await conn.fetchval(_IS_CONTRACTED):
        return []
    async with rolled_back(conn):
        keys = await _copy_table(conn)
        rejected = await _rejected(conn, keys)
        chosen = await _choose(conn, rejected, keys) if set_aside else []
    if remaining := {ticket: rejected[ticket] for ticket in rejected.keys() - {row[0] for row in chosen}}:
        named = [f"{ticket}: {reason}" for ticket, reason in sorted(remaining.items())[:_NAMED]]
        more = "; ..." if len(remaining) > _NAMED else ""
        instead = "" if set_aside else ", or add --set-aside to write what fits and keep the rest"
        problem = (
            f"the values of {len(remaining)} tickets do not fit into the old columns "
            f"({'; '.join(named)}{more}): change these tickets{instead}"
        )
        return [problem]
    await conn.executemany(_SET_ASIDE, chosen)
    return []


async def _rejected(conn: Connection, keys: list[str]) -> dict[str, str]:
    """Return the tickets with values that do not fit, and the reasons."""
    last = ""
    while tickets := [row[0] for row in await conn.fetch(_TICKETS, last, _BATCH)]:
        await _try(conn, tickets, 1, keys)
        last = tickets[-1]
    return dict(await conn.fetch(_REJECTED))


async def _choose(
    conn: Connection, rejected: Mapping[str, str], keys: list[str]
) -> list[tuple[str, str, str, str]]:
    """Return the ticket, what it wants, what is written instead and the reason, if a choice fits."""
    result = []
    for ticket, reason in rejected.items():
        for choice in _INSTEAD:
            await conn.execute("TRUNCATE rejected_columns")
            await _try(conn, [ticket], choice, keys)
            written = await conn.fetchval(_COLUMNS, [ticket], choice)
            if written is not None and not await conn.fetch(_REJECTED):
                result.append((ticket, await conn.fetchval(_COLUMNS, [ticket], 1), written, reason))
                break
    return result


async def _try(conn: Connection, tickets: list[str], choice: int, keys: list[str]) -> None:
    await conn.fetch(_TRY, tickets, choice)
    for key in keys:
        await conn.execute(key, tickets)


async def _copy_table(conn: Connection) -> list[str]:
    """Create the copy; returns statements that reject tickets by the foreign keys, which it cannot have."""
    await conn.execute(_COPY)
    keys = []
    for _, statement in await conn.fetch(_DEFINITIONS):
        if match := _FOREIGN_KEY.search(statement):
            keys.append(_REJECT_BY_KEY.format(*match.groups()))
        elif statement.startswith(_ALTER):
            await conn.execute(f"ALTER TABLE restored_tickets {statement.removeprefix(_ALTER)}")
        elif statement.startswith("CREATE UNIQUE"):
            index = statement.replace(" CONCURRENTLY IF NOT EXISTS", "")
            await conn.execute(index.replace(" ON public.service_tickets ", " ON restored_tickets ", 1))
    return keys
