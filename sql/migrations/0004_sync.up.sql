-- migrate: works with 0.1
-- 0004 up: dual write, so that the old and the new application can run side by side. Triggers copy writes of the old
-- one to the history and writes of the new one to the old columns. Functions migrate old rows, ticket by ticket.
--
-- Rows of the old tables are read as JSON, so the same code reads every variant of them: uuid and varchar are both
-- text, and a missing column is null. baton.unreadable decides which values of them can be read.

LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for this one while holding the first lock; the migrator retries.
LOCK TABLE public.engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;

DO $$ BEGIN
    IF to_regclass('baton.assignment_migration') IS NOT NULL THEN
        ALTER TABLE baton.assignment_migration SET SCHEMA public;
        ALTER TABLE baton.assignment_migration_issues SET SCHEMA public;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS assignment_migration (
    ticket_id varchar(64) PRIMARY KEY,
    outcome text NOT NULL CHECK (outcome IN ('backfilled', 'already_there', 'quarantined', 'no_engineer')),
    old_columns jsonb NOT NULL
);
COMMENT ON TABLE assignment_migration IS 'Each migrated ticket: the values of its old columns, and the outcome.';

CREATE TABLE IF NOT EXISTS assignment_migration_issues (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id text,
    assignment_id uuid,
    outcome text NOT NULL CHECK (outcome IN ('quarantined', 'closed')),
    reason text NOT NULL,
    raw jsonb NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    column_name text
);
CREATE INDEX IF NOT EXISTS assignment_migration_issues_assignment ON assignment_migration_issues (assignment_id);
CREATE INDEX IF NOT EXISTS assignment_migration_issues_ticket ON assignment_migration_issues (ticket_id);
COMMENT ON TABLE assignment_migration_issues IS 'Old rows that could not be migrated unchanged: quarantined, or migrated but closed.';
COMMENT ON COLUMN assignment_migration_issues.column_name IS 'The column of which only the value is quarantined; null for the whole row.';

CREATE TABLE assignment_migration_state (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    reached varchar(64) NOT NULL DEFAULT '',
    comments jsonb NOT NULL,
    migrator text,
    first varchar(64) NOT NULL DEFAULT '',
    from_start boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE assignment_migration_state IS 'Progress of the backfill, and the previous comments of the old columns.';
COMMENT ON COLUMN assignment_migration_state.migrator IS 'The migrator that began the backfill; null before it, and when it is complete.';
COMMENT ON COLUMN assignment_migration_state.first IS 'The ticket after which this migrator began, because an earlier one had reached it.';
COMMENT ON COLUMN assignment_migration_state.from_start IS 'Whether the backfill has continued, or begun, with the first ticket.';
INSERT INTO assignment_migration_state (comments)
SELECT coalesce(jsonb_object_agg(attname, col_description(attrelid, attnum)), '{}')
FROM pg_attribute
WHERE attrelid = 'service_tickets'::regclass
  AND attname IN ('assigned_engineer_id', 'assigned_engineer_name', 'assignment_tier', 'assignment_tier_name');
COMMENT ON COLUMN service_tickets.assigned_engineer_id IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
COMMENT ON COLUMN service_tickets.assigned_engineer_name IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
COMMENT ON COLUMN service_tickets.assignment_tier IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
COMMENT ON COLUMN service_tickets.assignment_tier_name IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';

-- values: begin. Before any change, the migrator uses these functions to count what cannot be read (app/db/survey.py).
CREATE FUNCTION baton.as_uuid(raw text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    -- Ignores case and surrounding spaces. Null if it is not a uuid, instead of an error.
    SELECT CASE WHEN btrim(raw) ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN btrim(raw)::uuid END
$$;

CREATE FUNCTION baton.as_json(old_row anyelement) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN to_jsonb(old_row);
EXCEPTION WHEN OTHERS THEN
    BEGIN
        -- A column of type json contains an escaped character that neither jsonb nor text can hold.
        RETURN regexp_replace(to_json(old_row)::text, '\\u(0000|d[89a-f][0-9a-f]{2})', '\\ufffd', 'gi')::jsonb;
    EXCEPTION WHEN OTHERS THEN
        RETURN jsonb_build_object('row', old_row::text);
    END;
END $$;

CREATE FUNCTION baton.is_time(raw text) RETURNS boolean LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
BEGIN
    -- The year first, so that the order of day and month is clear; microseconds at most.
    RETURN raw ~ '^\s*\d{4,6}-\d\d?-\d\d?(\D.*)?$' AND raw !~ '\.\d{6}0*[1-9]'
        AND raw::timestamptz BETWEEN '0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00';
EXCEPTION WHEN data_exception OR syntax_error OR invalid_parameter_value THEN
    RETURN false;
END $$;

CREATE FUNCTION baton.parsed(raw text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN raw::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;

CREATE FUNCTION baton.as_parts(value jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    -- The list of parts. Null if the value is neither a list nor a part, nor text of one.
    SELECT CASE jsonb_typeof(value)
        WHEN 'array' THEN value
        WHEN 'object' THEN jsonb_build_array(value)
        WHEN 'string' THEN CASE jsonb_typeof(baton.parsed(value #>> '{}'))
            WHEN 'array' THEN baton.parsed(value #>> '{}')
            WHEN 'object' THEN jsonb_build_array(baton.parsed(value #>> '{}')) END
        END
$$;

CREATE FUNCTION baton.has_unreadable_part(parts jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    -- As the application reads parts: whole pieces and a decimal price, as numbers or text; null, false and '' are unknown.
    SELECT jsonb_path_exists(parts, 'strict $[*] ? (@.type() != "object"
        || exists(@.quantity ? (@.type() == "array" || @.type() == "object" || (@.type() == "boolean" && @ == true)
            || (@.type() == "number" && (@ != @.floor() || @ > 2147483647 || @ < -2147483647))
            || (@.type() == "string" && !(@ like_regex "^( *[+-]?[0-9]{1,9} *)?$"))))
        || exists(@.cost ? (@.type() == "array" || @.type() == "object" || (@.type() == "boolean" && @ == true)
            || (@.type() == "number" && (@ > 1e15 || @ < -1e15))
            || (@.type() == "string" && !(@ like_regex "^( *[+-]?[0-9]{1,15}([.][0-9]{0,15})? *)?$")))))')
$$;

CREATE FUNCTION baton.readable_parts(parts jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    -- Without the values that cannot be read. A part that is no object stays as an unknown part, so that no bill omits it.
    SELECT jsonb_agg(CASE WHEN jsonb_typeof(p.part) <> 'object' THEN '{}'::jsonb ELSE p.part - ARRAY(
        SELECT key FROM unnest(ARRAY['quantity', 'cost']) AS key
        WHERE baton.has_unreadable_part(jsonb_build_array(jsonb_build_object(key, p.part->key)))) END ORDER BY p.n)
    FROM jsonb_array_elements(baton.as_parts(parts)) WITH ORDINALITY AS p (part, n)
$$;

CREATE FUNCTION baton.is_readable(kind text, value jsonb, trusted boolean) RETURNS boolean LANGUAGE sql STABLE AS $$
    -- Whether a value, which is not null, is of a kind. Catching an error is slow, so usual forms come first. `trusted`: a
    -- time in the usual form is not checked further; if it is none after all, its conversion is an error.
    SELECT CASE kind
        WHEN 'time' THEN CASE
            WHEN trusted AND value #>> '{}' LIKE '____-__-__T__:__:__%+00:00' AND length(value #>> '{}') <= 32 THEN true
            WHEN value #>> '{}' ~ ('^(?:[1-8]\d{3}|9[0-8]\d\d)-(?:(?:0[1-9]|1[012])-(?:0[1-9]|1\d|2[0-8])'
                '|(?:0[13-9]|1[012])-(?:29|30)|(?:0[13578]|1[02])-31)'
                'T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:[+-](?:0\d|1[0-4])(?::[0-5]\d)?)?$') THEN true
            ELSE baton.is_time(value #>> '{}') END
        WHEN 'tier' THEN CASE
            WHEN value #>> '{}' IN ('1', '2', '3', '4', '5') THEN true
            WHEN value #>> '{}' ~ '^\s*[+-]?\d{1,10}(\.0*)?\s*$' THEN abs((value #>> '{}')::numeric) <= 2147483647
            ELSE false END
        WHEN 'rating' THEN value #>> '{}' IN ('1', '2', '3', '4', '5') OR value #>> '{}' ~ '^\s*\+?[1-5](\.0*)?\s*$'
        WHEN 'parts' THEN CASE jsonb_typeof(value) WHEN 'array' THEN NOT baton.has_unreadable_part(value)
            ELSE baton.as_parts(value) IS NOT NULL AND NOT baton.has_unreadable_part(baton.as_parts(value)) END
        WHEN 'hours' THEN value #>> '{}' ~ '^\s*\+?0*\d{1,3}(\.\d{0,2}0*)?\s*$'
        WHEN 'type' THEN lower(btrim(value #>> '{}')) IN ('auto', 'manual', 'escalation', 'reassignment')
        WHEN 'completion' THEN lower(btrim(value #>> '{}')) IN (
            'success', 'failed', 'escalated', 'parts_required', 'customer_unavailable')
        WHEN 'status' THEN lower(btrim(value #>> '{}')) IN ('assigned', 'accepted', 'in_progress', 'en_route', 'on_site',
            'completed', 'failed', 'rejected', 'escalated', 'cancelled')
        WHEN 'ticket status' THEN value #>> '{}' IN (
            'new', 'assigned', 'in_progress', 'on_hold', 'resolved', 'closed', 'cancelled')
        END
$$;

-- The columns of an old row with values that cannot be read unchanged, and why. The reason is null for a blank text, which
-- counts as null.
CREATE FUNCTION baton.unreadable(old_table text, raw jsonb, trusted boolean DEFAULT false)
RETURNS TABLE (name text, reason text) LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT c.name, CASE WHEN btrim(raw->>c.name) <> '' THEN c.name END || CASE c.kind
        WHEN 'time' THEN ' is not a time in the years 1 to 9999'
        WHEN 'tier' THEN ' is not a whole number'
        WHEN 'rating' THEN ' is not a whole number from 1 to 5'
        WHEN 'hours' THEN ' is not a number from 0 to 999.99 with two decimals at most'
        WHEN 'parts' THEN ' is not a list of parts with whole quantities and decimal costs'
        WHEN 'type' THEN ' is not a type of assignment'
        WHEN 'completion' THEN ' is not an outcome'
        WHEN 'ticket status' THEN ' is not a status of a ticket' END
    FROM (VALUES
        ('service_tickets', 'assignment_tier', 'tier'),
        ('service_tickets', 'assigned_at', 'time'),
        ('service_tickets', 'started_at', 'time'),
        ('service_tickets', 'resolved_at', 'time'),
        ('service_tickets', 'closed_at', 'time'),
        ('service_tickets', 'created_at', 'time'),
        ('service_tickets', 'updated_at', 'time'),
        ('service_tickets', 'status', 'ticket status'),
        ('engineer_assignments', 'assignment_tier', 'tier'),
        ('engineer_assignments', 'assignment_type', 'type'),
        ('engineer_assignments', 'assigned_at', 'time'),
        ('engineer_assignments', 'accepted_at', 'time'),
        ('engineer_assignments', 'rejected_at', 'time'),
        ('engineer_assignments', 'started_at', 'time'),
        ('engineer_assignments', 'work_started_at', 'time'),
        ('engineer_assignments', 'completed_at', 'time'),
        ('engineer_assignments', 'work_completed_at', 'time'),
        ('engineer_assignments', 'created_at', 'time'),
        ('engineer_assignments', 'updated_at', 'time'),
        ('engineer_assignments', 'completion_status', 'completion'),
        ('engineer_assignments', 'time_spent_hours', 'hours'),
        ('engineer_assignments', 'customer_rating', 'rating'),
        ('engineer_assignments', 'parts_used', 'parts')) AS c (old_table, name, kind)
    WHERE c.old_table = unreadable.old_table AND raw->>c.name IS NOT NULL
      AND (btrim(raw->>c.name) = '' OR NOT baton.is_readable(c.kind, raw->c.name, trusted))
$$;
-- values: end

CREATE FUNCTION baton.readable(raw jsonb, bad text[]) RETURNS jsonb LANGUAGE sql STABLE AS $$
    -- The row without the values that cannot be read.
    SELECT CASE
        WHEN cardinality(bad) = 0 THEN raw
        WHEN 'parts_used' = ANY (bad)
        THEN raw - bad || jsonb_build_object('parts_used', baton.readable_parts(raw->'parts_used'))
        ELSE raw - bad END
$$;

CREATE FUNCTION baton.unreadable_columns(old_table text, raw jsonb) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT u.name FROM baton.unreadable(old_table, raw) AS u)
$$;

CREATE FUNCTION baton.old_columns(ticket jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'assigned_engineer_id', ticket->'assigned_engineer_id',
        'assigned_engineer_name', ticket->'assigned_engineer_name',
        'assignment_tier', ticket->'assignment_tier',
        'assignment_tier_name', ticket->'assignment_tier_name',
        'assigned_at', ticket->'assigned_at')
$$;

CREATE FUNCTION baton.assignment_columns(ticket jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT baton.old_columns(ticket) - 'assigned_engineer_name' - 'assignment_tier_name'
$$;

CREATE FUNCTION baton.known_engineer(raw text) RETURNS uuid LANGUAGE sql STABLE AS $$
    -- The subquery is evaluated once, not for each engineer.
    SELECT e.id FROM engineers e WHERE e.id = (SELECT baton.as_uuid(raw))
$$;

CREATE FUNCTION baton.old_id(id text, raw jsonb) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    -- The id in the history of a row of the old table: made from an id that is no uuid, or else from the row.
    SELECT coalesce(baton.as_uuid(id), md5(nullif(btrim(id), ''))::uuid, md5(raw::text)::uuid)
$$;

CREATE FUNCTION baton.old_id_of(old_table regclass) RETURNS text LANGUAGE sql STABLE AS $$
    -- The same as an expression for each row `o` of the table; a column of type uuid needs no conversion.
    SELECT CASE a.atttypid WHEN 'uuid'::regtype THEN 'coalesce(o.id, baton.old_id(NULL, baton.as_json(o)))'
        ELSE 'baton.old_id(o.id::text, baton.as_json(o))' END
    FROM pg_attribute a WHERE a.attrelid = old_table AND a.attname = 'id'
$$;

CREATE FUNCTION baton.tier(raw text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(coalesce(raw::numeric::int, 1), 1)
$$;

CREATE FUNCTION baton.tier_name(tier int, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(btrim(name), ''), CASE tier WHEN 1 THEN 'OEM' WHEN 2 THEN 'Dealer'
        WHEN 3 THEN 'Distributor' WHEN 4 THEN 'Service provider' WHEN 5 THEN 'Hospital' ELSE 'Tier ' || tier::text END)
$$;

CREATE FUNCTION baton.ended(ticket_status text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(ticket_status IN ('resolved', 'closed', 'cancelled'), false)
$$;

CREATE FUNCTION baton.reported_at(ticket jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    -- Of a ticket without a readable time, the time of the migration.
    SELECT coalesce(ticket->>'created_at', ticket->>'updated_at', to_jsonb(now()) #>> '{}')
$$;

CREATE FUNCTION baton.ended_at(ticket jsonb) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(ticket->>'resolved_at', ticket->>'closed_at', ticket->>'updated_at', baton.reported_at(ticket))::timestamptz
$$;

-- This function and the next take rows without unreadable values. They return a set of one row, because PostgreSQL
-- inlines only set-returning functions, which halves the time.
CREATE FUNCTION baton.from_old_row(raw jsonb, ticket jsonb) RETURNS SETOF baton.engineer_assignments
LANGUAGE sql STABLE ROWS 1 AS $$
    -- Converts a row of the old table, without a sequence. A null status or engineer means that the row cannot be
    -- migrated. Unknown values stay null: no acceptance time is invented.
    SELECT r.*
    FROM (SELECT baton.tier(raw->>'assignment_tier') AS tier OFFSET 0) AS t
    CROSS JOIN LATERAL jsonb_populate_record(NULL::baton.engineer_assignments, raw || jsonb_build_object(
        'id', baton.old_id(raw->>'id', raw),
        'ticket_id', ticket->'id',
        'engineer_id', (SELECT e.id FROM engineers e WHERE e.id = (SELECT baton.as_uuid(raw->>'engineer_id'))),
        'equipment_id', (SELECT e.id FROM equipment e WHERE e.id = btrim(raw->>'equipment_id')),
        'assignment_sequence', NULL,
        'assignment_tier', t.tier,
        'assignment_tier_name', baton.tier_name(t.tier, raw->>'assignment_tier_name'),
        'assignment_type', coalesce(lower(btrim(raw->>'assignment_type')), 'manual'),
        'status', CASE
            WHEN lower(btrim(raw->>'status')) IN ('en_route', 'on_site') THEN 'in_progress'
            WHEN raw->>'status' IS NULL THEN 'assigned'
            WHEN baton.is_readable('status', raw->'status', false) THEN lower(btrim(raw->>'status')) END,
        'assigned_at', coalesce(raw->>'assigned_at', raw->>'created_at', baton.reported_at(ticket)),
        'started_at', coalesce(raw->>'started_at', raw->>'work_started_at'),
        'completed_at', coalesce(raw->>'completed_at', raw->>'work_completed_at'),
        'completion_status', lower(btrim(raw->>'completion_status')),
        'time_spent_hours', (raw->>'time_spent_hours')::numeric,
        'parts_used', CASE WHEN jsonb_typeof(raw->'parts_used') = 'array' THEN raw->'parts_used'
            ELSE coalesce(baton.as_parts(raw->'parts_used'), '[]') END,
        'notes', nullif(concat_ws(E'\n', raw->>'notes', 'Status was ' || (CASE
            WHEN lower(btrim(raw->>'status')) IN ('en_route', 'on_site') THEN lower(btrim(raw->>'status')) END)), ''),
        'customer_rating', (raw->>'customer_rating')::numeric::int,
        'origin', 'legacy',
        'created_at', coalesce(raw->>'created_at', raw->>'assigned_at', baton.reported_at(ticket)),
        'updated_at', coalesce(raw->>'updated_at', raw->>'created_at', raw->>'assigned_at',
            baton.reported_at(ticket)))) AS r
$$;

CREATE FUNCTION baton.from_old_columns(ticket jsonb) RETURNS SETOF baton.engineer_assignments
LANGUAGE sql STABLE ROWS 1 AS $$
    -- Builds an assignment from the old columns of the ticket, without a sequence. A null engineer means that the
    -- columns name an unknown engineer.
    SELECT r.*
    FROM (SELECT CASE
        WHEN ticket->>'status' IN ('resolved', 'closed') THEN 'completed'
        WHEN ticket->>'status' = 'cancelled' THEN 'cancelled'
        WHEN ticket->>'status' IN ('in_progress', 'on_hold') THEN 'in_progress'
        ELSE 'assigned' END AS status, baton.tier(ticket->>'assignment_tier') AS tier OFFSET 0) AS s
    CROSS JOIN LATERAL jsonb_populate_record(NULL::baton.engineer_assignments, jsonb_build_object(
        'id', gen_random_uuid(),
        'ticket_id', ticket->'id',
        'engineer_id', (SELECT e.id FROM engineers e WHERE e.id = (SELECT baton.as_uuid(ticket->>'assigned_engineer_id'))),
        'equipment_id', (SELECT e.id FROM equipment e WHERE e.id = btrim(ticket->>'equipment_id')),
        'assignment_tier', s.tier,
        'assignment_tier_name', baton.tier_name(s.tier, ticket->>'assignment_tier_name'),
        'assignment_reason', 'Initial (migrated)',
        'assignment_type', 'manual',
        'status', s.status,
        'assigned_by', 'system:migration',
        'assigned_at', coalesce(ticket->>'assigned_at', baton.reported_at(ticket)),
        'started_at', CASE WHEN s.status IN ('in_progress', 'completed') THEN ticket->>'started_at' END,
        'completed_at', CASE WHEN baton.ended(ticket->>'status') THEN baton.ended_at(ticket) END,
        'cancellation_reason', CASE WHEN s.status = 'cancelled' THEN 'The ticket was cancelled' END,
        'parts_used', '[]'::jsonb,
        'origin', 'backfill',
        'created_at', baton.reported_at(ticket),
        'updated_at', coalesce(ticket->>'updated_at', baton.reported_at(ticket)))) AS r
$$;

CREATE FUNCTION baton.record_issue(
    p_outcome text, p_reason text, p_raw jsonb, p_ticket text, p_assignment uuid DEFAULT NULL, p_column text DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    -- Once, however often the old application writes the same.
    INSERT INTO assignment_migration_issues (ticket_id, assignment_id, outcome, reason, raw, column_name)
    SELECT p_ticket, p_assignment, p_outcome, p_reason, p_raw, p_column
    WHERE NOT EXISTS (SELECT FROM assignment_migration_issues i
        WHERE i.ticket_id = p_ticket AND i.assignment_id IS NOT DISTINCT FROM p_assignment
          AND i.reason = p_reason AND i.raw = p_raw)
$$;

CREATE FUNCTION baton.record_unreadable_values(old_table text, raw jsonb, ticket_id text, assignment_id uuid) RETURNS void
LANGUAGE sql AS $$
    SELECT baton.record_issue('quarantined', u.reason, jsonb_build_object(u.name, raw->u.name), ticket_id, assignment_id, u.name)
    FROM baton.unreadable(old_table, raw) AS u WHERE u.reason IS NOT NULL
$$;

CREATE FUNCTION baton.old_ids(ticket_id text) RETURNS text[] LANGUAGE sql STABLE AS $$
    -- If the column of the old table is a uuid, its text is in lower case, unlike perhaps the ticket's id.
    SELECT CASE WHEN ticket_id = lower(ticket_id)
            OR EXISTS (SELECT FROM service_tickets t WHERE t.id = lower(ticket_id))
        THEN ARRAY[ticket_id] ELSE ARRAY[ticket_id, lower(ticket_id)] END
$$;

CREATE FUNCTION baton.closed(one baton.engineer_assignments, ticket jsonb) RETURNS baton.engineer_assignments
LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- Ends an active row that is not the current assignment, according to the ticket's status.
    IF baton.ended(ticket->>'status') THEN
        one.completed_at := coalesce(one.completed_at, baton.ended_at(ticket));
    ELSE
        one.completed_at := coalesce(one.completed_at, one.updated_at);
    END IF;
    IF ticket->>'status' IN ('resolved', 'closed') THEN
        one.status := 'completed';
    ELSE
        one.status := 'cancelled';
        one.cancellation_reason := CASE ticket->>'status' WHEN 'cancelled' THEN 'The ticket was cancelled'
            ELSE 'Another assignment held the ticket' END;
    END IF;
    RETURN one;
END $$;

-- Migrates those of the tickets that are not migrated yet: the old rows of each, ordered by time, then its old
-- columns. The caller holds the locks of the tickets. The planner settings force index lookups: the plan is reused for
-- single tickets and batches, and may be made while a table is still empty. `trusted`: see baton.is_readable.
CREATE FUNCTION baton.copy_tickets(tickets jsonb[], trusted boolean DEFAULT false) RETURNS void LANGUAGE plpgsql
SET timezone = 'UTC' SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    -- OFFSET 0: evaluate once, however often the rest refers to it.
    WITH ticket AS MATERIALIZED (
        SELECT g.raw->>'id' AS ticket_id, t.ticket,
            baton.ended(t.ticket->>'status') AS ended,
            btrim(coalesce(t.ticket->>'assigned_engineer_id', '')) <> '' AS names_engineer,
            named, baton.old_columns(g.raw) AS old_columns,
            CASE WHEN cardinality(b.bad) > 0 THEN g.raw END AS bad_ticket
        FROM unnest(tickets) AS g (raw)
        CROSS JOIN LATERAL (
            SELECT ARRAY(SELECT u.name FROM baton.unreadable('service_tickets', g.raw, trusted) AS u) AS bad OFFSET 0) AS b
        CROSS JOIN LATERAL (
            SELECT baton.readable(g.raw - ARRAY['issue_description', 'issue_category', 'customer_name'], b.bad) AS ticket
            OFFSET 0) AS t
        CROSS JOIN LATERAL baton.from_old_columns(t.ticket) AS named
        WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = g.raw->>'id')
    ), old_row AS MATERIALIZED (
        -- A ticket without old rows appears once, with null for the row.
        SELECT t.*, CASE WHEN trusted THEN to_jsonb(a) ELSE baton.as_json(a) END AS raw, a.ctid AS place
        FROM ticket t
        LEFT JOIN public.engineer_assignments a ON a.ticket_id::text = ANY (baton.old_ids(t.ticket_id))
    ), old_assignment AS MATERIALIZED (
        SELECT o.*, b.bad, r AS assignment, CASE
            WHEN coalesce(btrim(o.raw->>'id'), '') = '' THEN 'unknown id'
            WHEN r.status IS NULL THEN 'unknown status'
            WHEN r.engineer_id IS NULL THEN 'unknown engineer'
            -- Not EXISTS: the planner would read all ids of the history for each batch.
            WHEN (SELECT x.id FROM baton.engineer_assignments x WHERE x.id = r.id) IS NOT NULL THEN 'the id occurs twice'
            END AS problem
        FROM old_row o
        CROSS JOIN LATERAL (
            SELECT ARRAY(SELECT u.name FROM baton.unreadable('engineer_assignments', o.raw, trusted) AS u) AS bad OFFSET 0) AS b
        CROSS JOIN LATERAL (SELECT baton.readable(o.raw, b.bad) AS readable OFFSET 0) AS c
        LEFT JOIN LATERAL baton.from_old_row(c.readable, o.ticket) AS r ON o.raw IS NOT NULL
    ), repeated AS MATERIALIZED (
        SELECT (o.assignment).id, min(o.place) AS first_place
        FROM old_assignment o WHERE o.problem IS NULL GROUP BY 1 HAVING count(*) > 1
    ), placed AS MATERIALIZED (
        -- Of several active rows one stays: the newest of the engineer named by the ticket, else the newest.
        SELECT t.*, k.known, k.active,
            row_number() OVER (PARTITION BY t.ticket_id, k.known
                ORDER BY (t.assignment).assigned_at, (t.assignment).created_at, (t.assignment).id) AS n,
            h.may_hold AND row_number() OVER (PARTITION BY t.ticket_id, h.may_hold
                ORDER BY (t.assignment).assigned_at DESC, (t.assignment).created_at DESC,
                    (t.assignment).id DESC) = 1 AS holds
        FROM old_assignment t
        CROSS JOIN LATERAL (
            SELECT f.known, f.known AND (t.assignment).status IN ('assigned', 'accepted', 'in_progress') AS active
            FROM (SELECT t.raw IS NOT NULL AND t.problem IS NULL AND NOT EXISTS (
                SELECT FROM repeated r WHERE r.id = (t.assignment).id AND r.first_place <> t.place) AS known) AS f
            OFFSET 0) AS k
        CROSS JOIN LATERAL (
            SELECT k.active AND NOT t.ended AND (NOT t.names_engineer OR (t.named).engineer_id IS NULL
                OR (t.named).engineer_id = (t.assignment).engineer_id) AS may_hold OFFSET 0) AS h
    ), settled AS MATERIALIZED (
        SELECT p.ticket_id, p.old_columns, p.bad_ticket, p.named, p.names_engineer, p.ended, p.raw, p.bad, p.problem,
            p.known, p.n, p.holds,
            p.active AND NOT p.holds AS closes,
            CASE
                WHEN p.active AND NOT p.holds THEN baton.closed(p.assignment, p.ticket)
                -- The old application reads the current tier from the ticket; rows often have none, or an older one.
                WHEN p.holds AND (p.named).engineer_id IS NOT NULL AND p.ticket->>'assignment_tier' IS NOT NULL
                THEN jsonb_populate_record(p.assignment, jsonb_build_object('assignment_tier', (p.named).assignment_tier,
                    'assignment_tier_name', (p.named).assignment_tier_name))
                ELSE p.assignment END AS assignment
        FROM placed p
    ), result AS MATERIALIZED (
        -- One row for each ticket, with its last assignment.
        SELECT DISTINCT ON (s.ticket_id) s.ticket_id, s.old_columns, s.bad_ticket, s.named,
            CASE WHEN s.known THEN s.n ELSE 0 END AS migrated_rows,
            CASE
                WHEN NOT s.names_engineer THEN 'no_engineer'
                WHEN (s.named).engineer_id IS NULL THEN 'quarantined'
                WHEN bool_or(s.holds) OVER (PARTITION BY s.ticket_id) THEN 'already_there'
                WHEN s.ended AND s.known AND (s.assignment).engineer_id = (s.named).engineer_id
                    AND (s.named).status IN ((s.assignment).status, 'cancelled') THEN 'already_there'
                ELSE 'backfilled' END AS outcome
        FROM settled s
        ORDER BY s.ticket_id, s.known DESC, s.n DESC
    ), history AS (
        INSERT INTO baton.engineer_assignments
        SELECT h.* FROM settled s
        CROSS JOIN LATERAL jsonb_populate_record(s.assignment, jsonb_build_object('assignment_sequence', s.n)) AS h
        WHERE s.known
        UNION ALL
        SELECT h.* FROM result r
        CROSS JOIN LATERAL jsonb_populate_record(r.named, jsonb_build_object('assignment_sequence', r.migrated_rows + 1)) AS h
        WHERE r.outcome = 'backfilled'
    ), issues AS (
        INSERT INTO assignment_migration_issues (ticket_id, assignment_id, outcome, reason, raw, column_name)
        (SELECT s.ticket_id, (s.assignment).id, CASE WHEN s.known THEN 'closed' ELSE 'quarantined' END,
            CASE WHEN s.problem IS NOT NULL THEN s.problem
                WHEN NOT s.known THEN 'the id occurs twice'
                WHEN s.ended THEN 'the ticket had ended'
                ELSE 'another assignment held the ticket' END,
            s.raw, NULL
        FROM settled s WHERE s.closes OR (NOT s.known AND s.raw IS NOT NULL)
        ORDER BY s.ticket_id, (s.assignment).assigned_at, (s.assignment).created_at, (s.assignment).id)
        UNION ALL
        SELECT r.ticket_id, NULL, 'quarantined', 'the ticket names an unknown engineer', r.old_columns, NULL
        FROM result r WHERE r.outcome = 'quarantined'
        UNION ALL
        SELECT s.ticket_id, (s.assignment).id, 'quarantined', u.reason, jsonb_build_object(u.name, s.raw->u.name), u.name
        FROM settled s CROSS JOIN LATERAL baton.unreadable('engineer_assignments', s.raw) AS u
        WHERE s.known AND cardinality(s.bad) > 0 AND u.reason IS NOT NULL
        UNION ALL
        SELECT r.ticket_id, NULL, 'quarantined', u.reason, jsonb_build_object(u.name, r.bad_ticket->u.name), u.name
        FROM result r CROSS JOIN LATERAL baton.unreadable('service_tickets', r.bad_ticket) AS u
        WHERE r.bad_ticket IS NOT NULL AND u.reason IS NOT NULL
        UNION ALL
        SELECT s.ticket_id, (s.assignment).id, 'quarantined', 'equipment_id is not that of any equipment',
            jsonb_build_object('equipment_id', s.raw->'equipment_id'), 'equipment_id'
        FROM settled s
        WHERE s.known AND (s.assignment).equipment_id IS NULL AND btrim(s.raw->>'equipment_id') <> ''
    )
    INSERT INTO assignment_migration
    SELECT r.ticket_id, r.outcome, r.old_columns FROM result r;
END $$;

-- Updates the history to match what the old application has just written to a ticket. It compares states, not
-- writers, so it does nothing if they agree already, as after a change by the new application.
CREATE FUNCTION baton.reconcile(raw jsonb, columns_changed boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this text := raw->>'id';
    bad text[] := baton.unreadable_columns('service_tickets', raw);
    ticket jsonb := baton.readable(raw, bad);
    active baton.engineer_assignments;
    named baton.engineer_assignments;
BEGIN
    IF cardinality(bad) > 0 THEN
        PERFORM baton.record_unreadable_values('service_tickets', raw, this, NULL);
    END IF;
    SELECT r.* INTO named FROM baton.from_old_columns(ticket) AS r;
    SELECT a.* INTO active FROM baton.engineer_assignments a
    WHERE a.ticket_id = this AND a.status IN ('assigned', 'accepted', 'in_progress');

    IF columns_changed AND active.engineer_id = named.engineer_id AND active.created_at = transaction_timestamp() THEN
        -- A BEFORE trigger of the old application has just recorded this very change, without the tier.
        UPDATE baton.engineer_assignments
        SET assignment_tier = named.assignment_tier, assignment_tier_name = named.assignment_tier_name WHERE id = active.id;
        active.assignment_tier := named.assignment_tier;
    END IF;
    IF columns_changed AND btrim(coalesce(ticket->>'assigned_engineer_id', '')) = '' THEN
        IF NOT baton.ended(ticket->>'status') THEN
            PERFORM baton.end_assignment(active, 'cancelled', app_now(), 'The old application took the ticket back');
        END IF;
    ELSIF columns_changed AND named.engineer_id IS NULL THEN
        PERFORM baton.record_issue('quarantined', 'the ticket names an unknown engineer', baton.old_columns(raw), this);
        PERFORM baton.end_assignment(active, 'cancelled', app_now(), 'The old application named an unknown engineer');
    ELSIF columns_changed AND (active.engineer_id IS DISTINCT FROM named.engineer_id
            OR (ticket->>'assignment_tier' IS NOT NULL AND named.assignment_tier <> active.assignment_tier)) THEN
        PERFORM baton.end_assignment(active, CASE WHEN named.assignment_tier > active.assignment_tier THEN 'escalated'
            ELSE 'cancelled' END, app_now(), 'The old application gave the ticket to another');
        SELECT coalesce(max(a.assignment_sequence), 0) + 1 INTO named.assignment_sequence
        FROM baton.engineer_assignments a WHERE a.ticket_id = this;
        named.assignment_reason := 'Assigned by the old application';
        named.assigned_by := 'system:old-application';
        named.assigned_at := coalesce((ticket->>'assigned_at')::timestamptz, app_now());
        named.created_at := app_now();
        named.updated_at := app_now();
        named.origin := 'legacy';
        INSERT INTO baton.engineer_assignments SELECT named.*;
        RETURN;
    END IF;

    IF ticket->>'status' IN ('resolved', 'closed') THEN
        PERFORM baton.end_assignment(active, 'completed', baton.ended_at(ticket), NULL);
    ELSIF ticket->>'status' = 'cancelled' THEN
        PERFORM baton.end_assignment(active, 'cancelled', baton.ended_at(ticket), 'The ticket was cancelled');
    ELSIF ticket->>'status' = 'in_progress' AND active.status IN ('assigned', 'accepted') THEN
        UPDATE baton.engineer_assignments
        SET status = 'in_progress', started_at = coalesce((ticket->>'started_at')::timestamptz, app_now()),
            origin = 'legacy', updated_at = app_now()
        WHERE id = active.id;
    END IF;
END $$;

CREATE FUNCTION baton.end_assignment(active baton.engineer_assignments, p_status text, p_at timestamptz, p_reason text)
RETURNS void LANGUAGE sql AS $$
    -- No effect if there is no current assignment. Origin legacy: the old application lacks values that a live row has.
    UPDATE baton.engineer_assignments
    SET status = p_status,
        completed_at = p_at,
        completion_status = CASE p_status WHEN 'escalated' THEN 'escalated' END,
        escalation_reason = CASE p_status WHEN 'escalated' THEN p_reason END,
        cancellation_reason = CASE p_status WHEN 'cancelled' THEN p_reason END,
        origin = 'legacy',
        updated_at = app_now()
    WHERE id = active.id
$$;

-- Whether a row of the old table records an assignment that the history has from elsewhere: a trigger of the old
-- application may write one for each change of a ticket, also for those of the new application. An assignment that was
-- made from the columns of the ticket takes the id of the row, and the row is followed; one with events keeps its own.
CREATE FUNCTION baton.is_recorded(row_id uuid, converted baton.engineer_assignments, raw jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    recorded text := 'the history has the assignment from elsewhere';
    active baton.engineer_assignments;
BEGIN
    IF EXISTS (SELECT FROM baton.engineer_assignments a WHERE a.id = row_id) THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM assignment_migration_issues i WHERE i.assignment_id = row_id AND i.reason = recorded) THEN
        RETURN true;
    END IF;
    SELECT a.* INTO active FROM baton.engineer_assignments a
    WHERE a.ticket_id = converted.ticket_id AND a.engineer_id = converted.engineer_id
      AND a.status IN ('assigned', 'accepted', 'in_progress')
      AND converted.status IN ('assigned', 'accepted', 'in_progress')
      AND NOT EXISTS (
          SELECT FROM public.engineer_assignments o
          WHERE o.ticket_id::text = ANY (baton.old_ids(converted.ticket_id)) AND baton.old_id(o.id::text, to_jsonb(o)) = a.id);
    IF active.id IS NULL THEN
        RETURN false;
    END IF;
    IF active.origin = 'live' OR EXISTS (
            SELECT FROM assignment_events e WHERE e.ticket_id = active.ticket_id AND e.assignment_id = active.id) THEN
        PERFORM baton.record_issue('quarantined', recorded, raw, converted.ticket_id, row_id);
        RETURN true;
    END IF;
    UPDATE baton.engineer_assignments SET id = row_id WHERE id = active.id;
    RETURN false;
END $$;

-- The old application also writes its own engineer_assignments: copies such a row to the history. `previous` is the row
-- before the write; null for a row that is new, or perhaps copied already.
CREATE FUNCTION baton.sync_row(raw jsonb, previous jsonb DEFAULT NULL, is_new boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ticket jsonb;
    bad text[] := baton.unreadable_columns('engineer_assignments', raw);
    readable jsonb := baton.readable(raw, bad);
    existing baton.engineer_assignments;
    converted baton.engineer_assignments;
    active baton.engineer_assignments;
    copied text[] := ARRAY['customer_rating', 'customer_feedback', 'updated_at'];
    changed text[];
    occurs_twice boolean;
    problem text;
BEGIN
    SELECT baton.as_json(t) INTO ticket FROM service_tickets t
    WHERE t.id = coalesce(
        (SELECT u.id FROM service_tickets u WHERE u.id = btrim(raw->>'ticket_id')),
        (SELECT u.id FROM service_tickets u WHERE lower(u.id) = btrim(raw->>'ticket_id') LIMIT 1))
    FOR NO KEY UPDATE;
    IF ticket IS NULL THEN
        PERFORM baton.record_issue('quarantined', 'unknown ticket', raw, raw->>'ticket_id', baton.old_id(raw->>'id', raw));
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = ticket->>'id') THEN
        PERFORM baton.copy_tickets(ARRAY[ticket]);
        RETURN;
    END IF;
    ticket := baton.readable(ticket, baton.unreadable_columns('service_tickets', ticket));
    SELECT r.* INTO converted FROM baton.from_old_row(readable, ticket) AS r;
    occurs_twice := is_new AND EXISTS (SELECT FROM baton.engineer_assignments a WHERE a.id = converted.id);
    IF baton.is_recorded(converted.id, converted, raw) THEN
        RETURN;
    END IF;
    IF readable->>'assignment_tier' IS NULL AND ticket->>'assignment_tier' IS NOT NULL
            AND converted.status IN ('assigned', 'accepted', 'in_progress')
            AND baton.known_engineer(ticket->>'assigned_engineer_id') = converted.engineer_id THEN
        SELECT named.assignment_tier, named.assignment_tier_name
        INTO converted.assignment_tier, converted.assignment_tier_name FROM baton.from_old_columns(ticket) AS named;
    END IF;
    SELECT a.* INTO existing FROM baton.engineer_assignments a WHERE a.id = converted.id;
    problem := CASE
        WHEN coalesce(btrim(raw->>'id'), '') = '' THEN 'unknown id'
        WHEN converted.status IS NULL THEN 'unknown status'
        WHEN converted.engineer_id IS NULL THEN 'unknown engineer'
        WHEN occurs_twice THEN 'the id occurs twice' END;
    IF problem IS NOT NULL THEN
        PERFORM baton.record_issue('quarantined', problem, raw, ticket->>'id', converted.id);
        RETURN;
    END IF;
    IF cardinality(bad) > 0 THEN
        PERFORM baton.record_unreadable_values('engineer_assignments', raw, ticket->>'id', converted.id);
    END IF;
    IF converted.equipment_id IS NULL AND btrim(raw->>'equipment_id') <> '' THEN
        PERFORM baton.record_issue('quarantined', 'equipment_id is not that of any equipment',
            jsonb_build_object('equipment_id', raw->'equipment_id'), ticket->>'id', converted.id, 'equipment_id');
    END IF;
    IF existing.id IS NULL THEN
        IF converted.status IN ('assigned', 'accepted', 'in_progress') AND baton.ended(ticket->>'status') THEN
            converted := baton.closed(converted, ticket);
            PERFORM baton.record_issue('closed', 'the ticket had ended', raw, ticket->>'id', converted.id);
        ELSIF converted.status IN ('assigned', 'accepted', 'in_progress') THEN
            SELECT a.* INTO active FROM baton.engineer_assignments a
            WHERE a.ticket_id = converted.ticket_id AND a.status IN ('assigned', 'accepted', 'in_progress');
            PERFORM baton.end_assignment(active, 'cancelled', app_now(), 'The old application gave the ticket to another');
        END IF;
        SELECT coalesce(max(a.assignment_sequence), 0) + 1 INTO converted.assignment_sequence
        FROM baton.engineer_assignments a WHERE a.ticket_id = converted.ticket_id;
        INSERT INTO baton.engineer_assignments SELECT converted.*;
        RETURN;
    END IF;
    IF existing.status IN ('assigned', 'accepted', 'in_progress') THEN
        copied := copied || ARRAY['status', 'accepted_at', 'rejected_at', 'started_at', 'work_started_at', 'completed_at',
            'work_completed_at', 'diagnosis', 'actions_taken', 'parts_used', 'completion_status', 'time_spent_hours',
            'notes', 'rejection_reason', 'escalation_reason', 'cancellation_reason'];
        UPDATE baton.engineer_assignments
        SET status = converted.status, accepted_at = converted.accepted_at, rejected_at = converted.rejected_at,
            started_at = converted.started_at, completed_at = converted.completed_at, diagnosis = converted.diagnosis,
            actions_taken = converted.actions_taken, parts_used = converted.parts_used,
            customer_rating = converted.customer_rating, customer_feedback = converted.customer_feedback,
            completion_status = coalesce(converted.completion_status, existing.completion_status),
            time_spent_hours = coalesce(converted.time_spent_hours, existing.time_spent_hours),
            notes = coalesce(converted.notes, existing.notes),
            rejection_reason = coalesce(converted.rejection_reason, existing.rejection_reason),
            escalation_reason = coalesce(converted.escalation_reason, existing.escalation_reason),
            cancellation_reason = coalesce(converted.cancellation_reason, existing.cancellation_reason),
            origin = 'legacy', updated_at = converted.updated_at
        WHERE id = converted.id;
    ELSIF (existing.customer_rating, existing.customer_feedback) IS DISTINCT FROM (converted.customer_rating, converted.customer_feedback) THEN
        UPDATE baton.engineer_assignments
        SET customer_rating = converted.customer_rating, customer_feedback = converted.customer_feedback
        WHERE id = converted.id;
    ELSIF previous IS NULL AND existing.status <> converted.status THEN
        PERFORM baton.record_issue('quarantined', 'the assignment had ended', raw, ticket->>'id', converted.id);
    END IF;
    changed := ARRAY(
        SELECT n.key FROM jsonb_each(raw) AS n
        WHERE n.value IS DISTINCT FROM previous->n.key AND n.key <> ALL (copied)
          AND (to_jsonb(existing) ? n.key OR n.key IN ('work_started_at', 'work_completed_at')) ORDER BY n.key);
    IF previous IS NOT NULL AND cardinality(changed) > 0 THEN
        PERFORM baton.record_issue('quarantined', CASE WHEN existing.status IN ('assigned', 'accepted', 'in_progress')
            THEN array_to_string(changed, ', ') || ' changed afterwards' ELSE 'the assignment had ended' END,
            raw, ticket->>'id', converted.id);
    END IF;
END $$;

CREATE FUNCTION baton.is_syncing() RETURNS boolean LANGUAGE sql AS $$
    -- False after a backfill that was given up, until a migrator continues it. A migrator holds this lock (app/db/migrator.py).
    SELECT CASE WHEN EXISTS (SELECT FROM assignment_migration_state s WHERE s.migrator IS NOT NULL)
        THEN NOT pg_try_advisory_xact_lock_shared(7301112024001) ELSE true END
$$;

CREATE FUNCTION baton.quarantine(error text, raw jsonb, ticket_id text, assignment_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM baton.record_issue('quarantined', 'not copied: ' || error, raw, ticket_id, assignment_id);
EXCEPTION
    WHEN transaction_rollback OR lock_not_available THEN RAISE;
    WHEN OTHERS THEN RAISE WARNING 'Not copied to the assignment history: % (%)', raw, error;
END $$;

CREATE FUNCTION baton.quarantine_ticket(error text, this varchar) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO assignment_migration
    SELECT t.id, CASE WHEN btrim(coalesce(t.assigned_engineer_id::text, '')) = '' THEN 'no_engineer' ELSE 'quarantined' END,
        baton.old_columns(baton.as_json(t))
    FROM service_tickets t WHERE t.id = this
    ON CONFLICT DO NOTHING;
    PERFORM baton.quarantine(error, baton.old_columns(baton.as_json(t)), t.id, NULL) FROM service_tickets t WHERE t.id = this;
    PERFORM baton.quarantine(error, o.raw, this, baton.old_id(o.raw->>'id', o.raw))
    FROM (SELECT baton.as_json(a) AS raw FROM public.engineer_assignments a
        WHERE a.ticket_id::text = ANY (baton.old_ids(this))) AS o
    WHERE NOT EXISTS (SELECT FROM baton.engineer_assignments x WHERE x.id = baton.old_id(o.raw->>'id', o.raw));
END $$;

-- The triggers run with their owner's rights: neither application needs rights on the other's tables. They never fail a
-- write of the old application: what they cannot copy is quarantined. Only errors that any write may get are raised,
-- after which the application must repeat its transaction: a deadlock, a serialization failure, a lock timeout, and
-- cancellation, which OTHERS does not include.
CREATE FUNCTION baton.sync_ticket() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    old_ticket jsonb;
    new_ticket jsonb;
BEGIN
    IF NOT baton.is_syncing() THEN
        RETURN NULL;
    END IF;
    new_ticket := baton.as_json(NEW);
    IF TG_OP = 'INSERT' THEN
        PERFORM baton.copy_tickets(ARRAY[new_ticket]);
        RETURN NULL;
    END IF;
    old_ticket := baton.as_json(OLD);
    IF baton.old_columns(old_ticket) IS DISTINCT FROM baton.old_columns(new_ticket)
            OR old_ticket->>'status' IS DISTINCT FROM new_ticket->>'status' THEN
        -- A ticket that the backfill has not reached is first migrated in its previous state, so that nothing is skipped.
        PERFORM baton.copy_tickets(ARRAY[old_ticket]);
        PERFORM baton.reconcile(new_ticket, baton.assignment_columns(old_ticket) IS DISTINCT FROM baton.assignment_columns(new_ticket)
            OR (baton.ended(old_ticket->>'status') AND NOT baton.ended(new_ticket->>'status')));
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN transaction_rollback OR lock_not_available THEN RAISE;
    WHEN OTHERS THEN
        IF TG_OP = 'INSERT' THEN
            PERFORM baton.quarantine_ticket(SQLERRM, NEW.id);
        ELSE
            PERFORM baton.quarantine(SQLERRM, baton.old_columns(new_ticket), NEW.id, NULL);
        END IF;
        RETURN NULL;
END $$;

CREATE FUNCTION baton.sync_old_assignment() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN baton.as_json(OLD) END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN baton.as_json(NEW) END;
    this uuid := baton.old_id(coalesce(new_row, old_row)->>'id', coalesce(new_row, old_row));
    existing baton.engineer_assignments;
BEGIN
    IF NOT baton.is_syncing() THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM baton.sync_row(new_row, old_row, TG_OP = 'INSERT');
        RETURN NULL;
    END IF;
    SELECT a.* INTO existing FROM baton.engineer_assignments a WHERE a.id = this;
    IF existing.status IN ('assigned', 'accepted', 'in_progress') THEN
        PERFORM baton.end_assignment(existing, 'cancelled', app_now(), 'The old application deleted it');
    END IF;
    IF existing.id IS NOT NULL THEN
        PERFORM baton.record_issue('closed', 'the old application deleted it', old_row, existing.ticket_id, this);
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN transaction_rollback OR lock_not_available THEN RAISE;
    WHEN OTHERS THEN
        PERFORM baton.quarantine(SQLERRM, coalesce(new_row, old_row), coalesce(new_row, old_row)->>'ticket_id', this);
        RETURN NULL;
END $$;

CREATE FUNCTION baton.write_old_columns() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF current_setting('baton.catches_up', true) = 'on' THEN
        RETURN NULL; -- The change comes from the old columns.
    END IF;
    -- Old columns that already name this engineer and tier stay unchanged, including their spelling. Of a ticket
    -- without an engineer, text becomes empty, as the old application writes it, and a column that cannot be null stays.
    UPDATE service_tickets t
    SET (assigned_engineer_id, assigned_engineer_name, assignment_tier, assignment_tier_name, assigned_at) = (
        SELECT r.assigned_engineer_id, r.assigned_engineer_name, r.assignment_tier, r.assignment_tier_name, r.assigned_at
        FROM jsonb_populate_record(t, CASE WHEN c.assigned_engineer_id IS NOT NULL THEN to_jsonb(c) ELSE (
            SELECT jsonb_object_agg(a.attname, CASE
                WHEN a.attname = 'assigned_engineer_id' AND y.typcategory = 'S' THEN ''
                WHEN a.attname = 'assigned_engineer_name' AND (a.attnotnull
                    OR pg_typeof(t.assigned_engineer_id) <> 'uuid'::regtype) THEN '' END)
            FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
            WHERE a.attrelid = 'service_tickets'::regclass
              AND a.attname IN ('assigned_engineer_id', 'assigned_engineer_name', 'assignment_tier',
                  'assignment_tier_name', 'assigned_at')
              AND (a.attname LIKE 'assigned_engineer_%' OR NOT a.attnotnull)) END) AS r)
    FROM service_tickets_compat c
    WHERE t.id = NEW.ticket_id AND c.id = t.id
      AND (baton.known_engineer(t.assigned_engineer_id::text) IS DISTINCT FROM c.assigned_engineer_id::uuid
        OR (c.assigned_engineer_id IS NULL AND btrim(coalesce(t.assigned_engineer_id::text, '')) <> '')
        OR (c.assigned_engineer_id IS NOT NULL
            AND baton.tier(CASE WHEN baton.is_readable('tier', to_jsonb(t.assignment_tier), false)
                THEN t.assignment_tier::text END) <> c.assignment_tier));
    RETURN NULL;
END $$;

-- The triggers ignore writes by triggers, so the two directions do not trigger each other; but not what other triggers
-- write to the old table, to which ours never write.
CREATE TRIGGER history_follows_ticket AFTER INSERT OR UPDATE ON service_tickets
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION baton.sync_ticket();
CREATE TRIGGER history_follows_old_assignment AFTER INSERT OR UPDATE OR DELETE ON public.engineer_assignments
    FOR EACH ROW EXECUTE FUNCTION baton.sync_old_assignment();
CREATE TRIGGER old_columns_follow_new AFTER INSERT ON baton.engineer_assignments
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NEW.origin = 'live') EXECUTE FUNCTION baton.write_old_columns();
CREATE TRIGGER old_columns_follow_change AFTER UPDATE ON baton.engineer_assignments
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION baton.write_old_columns();

-- Applies what the old application changed while the history was not in use.
CREATE FUNCTION baton.catch_up(ticket jsonb) RETURNS void LANGUAGE plpgsql
SET timezone = 'UTC' SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    old_row jsonb;
    readable jsonb := baton.readable(ticket, baton.unreadable_columns('service_tickets', ticket));
    -- Computed first: the old rows applied below do not change the engineer named by the ticket.
    columns_changed boolean := (
        SELECT m.old_columns IS DISTINCT FROM baton.old_columns(ticket)
            AND (baton.known_engineer(ticket->>'assigned_engineer_id') IS DISTINCT FROM c.assigned_engineer_id::uuid
                OR baton.tier(readable->>'assignment_tier') <> coalesce(c.assignment_tier, 1))
        FROM service_tickets_compat c, assignment_migration m
        WHERE c.id = ticket->>'id' AND m.ticket_id = c.id);
BEGIN
    -- Not in the function's SET clause: only a superuser may do that with a custom setting.
    PERFORM set_config('baton.catches_up', 'on', true);
    FOR old_row IN
        SELECT o.raw
        FROM (SELECT baton.as_json(a) AS raw FROM public.engineer_assignments a
            WHERE a.ticket_id::text = ANY (baton.old_ids(ticket->>'id')) OFFSET 0) AS o
        LEFT JOIN baton.engineer_assignments known ON known.id = baton.old_id(o.raw->>'id', o.raw)
        WHERE (known.id IS NULL OR CASE WHEN baton.is_time(o.raw->>'updated_at')
                THEN (o.raw->>'updated_at')::timestamptz > known.updated_at ELSE false END)
          AND NOT EXISTS (SELECT FROM assignment_migration_issues i
            WHERE i.assignment_id = baton.old_id(o.raw->>'id', o.raw) AND i.raw = o.raw)
        ORDER BY o.raw->>'assigned_at', o.raw->>'id'
    LOOP
        PERFORM baton.sync_row(old_row);
    END LOOP;
    PERFORM baton.reconcile(ticket, columns_changed);
    PERFORM set_config('baton.catches_up', '', true);
END $$;

-- Migrates tickets, or what has changed of those that are migrated. If that fails, it migrates each ticket alone, and
-- quarantines those that fail.
CREATE FUNCTION baton.migrate_tickets(ids varchar[]) RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    tickets jsonb[];
    ticket jsonb;
    this varchar;
BEGIN
    tickets := ARRAY(
        SELECT CASE WHEN cardinality(ids) > 1 THEN to_jsonb(t) ELSE baton.as_json(t) END
        FROM service_tickets t WHERE t.id = ANY (ids) ORDER BY t.id FOR NO KEY UPDATE OF t);
    FOREACH ticket IN ARRAY tickets LOOP
        IF EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = ticket->>'id') THEN
            PERFORM baton.catch_up(ticket);
        END IF;
    END LOOP;
    PERFORM baton.copy_tickets(tickets, trusted => cardinality(ids) > 1);
EXCEPTION
    WHEN transaction_rollback OR lock_not_available THEN RAISE;
    WHEN OTHERS THEN
        IF cardinality(ids) = 1 THEN
            PERFORM baton.quarantine_ticket(SQLERRM, ids[1]);
        ELSE
            FOREACH this IN ARRAY ids LOOP
                PERFORM baton.migrate_tickets(ARRAY[this]);
            END LOOP;
        END IF;
END $$;

-- Migrates all tickets in batches. Each commits together with the progress, so that the next call continues there.
-- After each batch it sleeps for the duration of the batch, times `rest`. While it is interrupted the triggers do nothing,
-- so another migrator checks the tickets before that point again, at the end.
CREATE PROCEDURE baton.backfill(batch int DEFAULT 500, rest float8 DEFAULT 0.5) LANGUAGE plpgsql AS $$
DECLARE
    this_migrator text := coalesce(nullif(current_setting('baton.migrator', true), ''), gen_random_uuid()::text);
    total bigint := (SELECT count(*) FROM service_tickets);
    done bigint := (SELECT count(*) FROM service_tickets t, assignment_migration_state s WHERE t.id <= s.reached);
    size int := batch;
    started timestamptz;
    duration_s float8;
    state assignment_migration_state;
    ids varchar[];
BEGIN
    UPDATE assignment_migration_state s SET migrator = this_migrator, first = s.reached, from_start = s.reached = ''
    WHERE s.migrator IS DISTINCT FROM this_migrator;
    COMMIT;
    LOOP
        started := clock_timestamp();
        SELECT s.* INTO state FROM assignment_migration_state s;
        ids := ARRAY(
            SELECT t.id FROM service_tickets t
            WHERE t.id > state.reached AND (NOT state.from_start OR state.first = '' OR t.id <= state.first)
            ORDER BY t.id LIMIT size);
        IF cardinality(ids) = 0 THEN
            EXIT WHEN state.from_start;
            UPDATE assignment_migration_state SET from_start = true, reached = '';
            CONTINUE;
        END IF;
        PERFORM baton.migrate_tickets(ids);
        UPDATE assignment_migration_state SET reached = ids[cardinality(ids)];
        COMMIT;
        done := done + cardinality(ids);
        IF done <= total THEN
            RAISE INFO '% of % tickets migrated', done, total;
        ELSE
            RAISE INFO '% tickets checked again', done - total;
        END IF;
        duration_s := extract(epoch FROM clock_timestamp() - started);
        -- A writer to a ticket of the batch waits for its end: aim at 0.2 s, also on a busy server.
        size := least(batch, greatest(1, size * 0.2 / duration_s));
        PERFORM pg_sleep(rest * duration_s);
    END LOOP;
    EXECUTE format($q$
        INSERT INTO assignment_migration_issues (ticket_id, assignment_id, outcome, reason, raw)
        SELECT o.ticket_id::text, %1$s, 'quarantined', 'unknown ticket', baton.as_json(o)
        FROM public.engineer_assignments o
        WHERE NOT EXISTS (SELECT FROM baton.engineer_assignments known WHERE known.id = %1$s)
          AND NOT EXISTS (SELECT FROM assignment_migration_issues i WHERE i.assignment_id = %1$s)
        $q$, baton.old_id_of('public.engineer_assignments'));
    UPDATE assignment_migration_state SET migrator = NULL, first = DEFAULT, from_start = DEFAULT;
    COMMIT;
END $$;

-- Counts the outcomes for old rows. If `expected` is not null, the count must be equal to it.
CREATE FUNCTION assignment_migration_report() RETURNS TABLE (item text, counted bigint, expected bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- After 0006_contract the old table is in schema baton_legacy, unless it was dropped, and tickets are not synchronised.
    side_by_side boolean := to_regclass('baton.engineer_assignments') IS NOT NULL;
    old_table regclass := to_regclass(CASE WHEN side_by_side THEN 'public' ELSE 'baton_legacy' END || '.engineer_assignments');
    accounted bigint;
BEGIN
    SELECT count(*) FILTER (WHERE m.outcome <> 'no_engineer') INTO accounted FROM assignment_migration m;
    RETURN QUERY SELECT 'Tickets that named an engineer', count(*), accounted
        FROM assignment_migration m WHERE btrim(coalesce(m.old_columns->>'assigned_engineer_id', '')) <> '';
    RETURN QUERY SELECT '  backfilled', count(*), NULL::bigint FROM assignment_migration m WHERE m.outcome = 'backfilled';
    RETURN QUERY SELECT '  already there', count(*), NULL::bigint FROM assignment_migration m WHERE m.outcome = 'already_there';
    RETURN QUERY SELECT '  quarantined', count(*), NULL::bigint FROM assignment_migration m WHERE m.outcome = 'quarantined';

    -- A ticket has one backfilled assignment, however its status changed since.
    RETURN QUERY SELECT 'Backfilled assignments', count(*), (SELECT count(*) FROM assignment_migration m WHERE m.outcome = 'backfilled')
        FROM engineer_assignments a WHERE a.assigned_by = 'system:migration';

    IF old_table IS NOT NULL THEN
        -- Rows with the same id: one of them may be in the history.
        EXECUTE format($q$
            WITH old_id AS (
                SELECT %s AS id, count(*) AS rows FROM %s o GROUP BY 1
            )
            SELECT coalesce(sum(o.rows), 0), count(a.id), coalesce(sum(least(o.rows - count_of.taken, i.rows)), 0)
            FROM old_id o
            LEFT JOIN engineer_assignments a ON a.id = o.id
            CROSS JOIN LATERAL (SELECT CASE WHEN a.id IS NULL THEN 0 ELSE 1 END AS taken) AS count_of
            CROSS JOIN LATERAL (
                SELECT count(*) AS rows FROM assignment_migration_issues i
                WHERE o.rows > count_of.taken AND i.assignment_id = o.id AND i.outcome = 'quarantined'
                  AND i.column_name IS NULL) AS i $q$, baton.old_id_of(old_table), old_table)
        INTO counted, expected, accounted;
        item := 'Old assignments'; expected := expected + accounted; RETURN NEXT;
        item := '  migrated'; counted := expected - accounted; expected := NULL; RETURN NEXT;
        item := '  quarantined'; counted := accounted; RETURN NEXT;
    END IF;
    RETURN QUERY SELECT 'Quarantined values', count(*), NULL::bigint
        FROM assignment_migration_issues i WHERE i.column_name IS NOT NULL;

    RETURN QUERY SELECT 'Tickets with a gap in their sequence', count(*), 0::bigint
        FROM (SELECT FROM engineer_assignments a GROUP BY a.ticket_id
            HAVING min(a.assignment_sequence) <> 1 OR max(a.assignment_sequence) <> count(*)) AS gap;
    RETURN QUERY SELECT 'Ended tickets with a current assignment', count(*), 0::bigint
        FROM current_ticket_assignments c JOIN service_tickets t ON t.id = c.ticket_id
        WHERE t.status IN ('resolved', 'closed', 'cancelled');
    IF side_by_side THEN
        RETURN QUERY SELECT 'Tickets not migrated', count(*), 0::bigint FROM service_tickets t
            WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = t.id);
        -- From no old row or columns, not written or deleted by the old application, and not made by the new one.
        RETURN QUERY EXECUTE format($q$
            SELECT 'Assignments without an old row', count(*), 0::bigint
            FROM engineer_assignments a
            WHERE a.origin <> 'live' AND a.assigned_by IS DISTINCT FROM 'system:migration'
              AND a.assigned_by IS DISTINCT FROM 'system:old-application'
              AND NOT EXISTS (SELECT FROM %s o WHERE %s = a.id)
              AND NOT EXISTS (SELECT FROM assignment_migration_issues i WHERE i.assignment_id = a.id)
              AND NOT EXISTS (SELECT FROM assignment_events e WHERE e.assignment_id = a.id) $q$, old_table, baton.old_id_of(old_table));
        -- Without unknown engineers: those tickets are quarantined.
        RETURN QUERY SELECT 'Tickets with different engineers in old columns and history', count(*), 0::bigint
            FROM current_ticket_assignments c JOIN service_tickets t ON t.id = c.ticket_id
            JOIN engineers e ON e.id = baton.as_uuid(t.assigned_engineer_id::text)
            WHERE e.id <> c.engineer_id;
    END IF;
END $$;
ALTER FUNCTION assignment_migration_report() SET search_path = baton, public;
