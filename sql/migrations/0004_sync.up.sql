-- 0004 up: dual write, so that the old and the new application can run side by side. Triggers copy writes of the old
-- one to the history and writes of the new one to the old columns. Functions migrate old rows, ticket by ticket.
--
-- Rows of the old tables are read as JSON, so the same code reads every variant of them: uuid and varchar are both
-- text, and a missing column is null.

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
    found_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS assignment_migration_issues_assignment ON assignment_migration_issues (assignment_id);
COMMENT ON TABLE assignment_migration_issues IS 'Old rows that could not be migrated unchanged: quarantined, or migrated but closed.';

CREATE TABLE assignment_migration_state (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    reached varchar(64) NOT NULL DEFAULT '',
    comments jsonb NOT NULL
);
COMMENT ON TABLE assignment_migration_state IS 'Progress of the backfill, and the previous comments of the old columns.';
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

CREATE FUNCTION baton.old_columns(ticket jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'assigned_engineer_id', ticket->'assigned_engineer_id',
        'assigned_engineer_name', ticket->'assigned_engineer_name',
        'assignment_tier', ticket->'assignment_tier',
        'assignment_tier_name', ticket->'assignment_tier_name',
        'assigned_at', ticket->'assigned_at')
$$;

CREATE FUNCTION baton.who_and_when(ticket jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT baton.old_columns(ticket) - 'assigned_engineer_name' - 'assignment_tier_name'
$$;

CREATE FUNCTION baton.as_uuid(raw text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    -- Ignores case and surrounding spaces. Null if it is not a uuid, instead of an error.
    SELECT CASE WHEN btrim(raw) ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN btrim(raw)::uuid END
$$;

CREATE FUNCTION baton.known_engineer(raw text) RETURNS uuid LANGUAGE sql STABLE AS $$
    -- The subquery is evaluated once, not for each engineer.
    SELECT e.id FROM engineers e WHERE e.id = (SELECT baton.as_uuid(raw))
$$;

CREATE FUNCTION baton.tier_name(tier int, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(btrim(name), ''), CASE tier WHEN 1 THEN 'OEM' WHEN 2 THEN 'Dealer'
        WHEN 3 THEN 'Distributor' WHEN 4 THEN 'Service provider' WHEN 5 THEN 'Hospital' ELSE 'Tier ' || tier END)
$$;

CREATE FUNCTION baton.ended(ticket_status text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT ticket_status IN ('resolved', 'closed', 'cancelled')
$$;

CREATE FUNCTION baton.ended_at(ticket jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(ticket->>'resolved_at', ticket->>'closed_at', ticket->>'updated_at', ticket->>'created_at')::timestamptz
$$;

-- This function and the next return a set of one row, because PostgreSQL inlines only set-returning functions, which
-- halves the time.
CREATE FUNCTION baton.taken_over(raw jsonb, ticket jsonb) RETURNS SETOF baton.engineer_assignments
LANGUAGE sql STABLE ROWS 1 AS $$
    -- Converts a row of the old table, without a sequence. A null status or engineer means that the row cannot be
    -- migrated. Unknown values stay null: no acceptance time is invented.
    SELECT r.* FROM jsonb_populate_record(NULL::baton.engineer_assignments, raw || jsonb_build_object(
        'ticket_id', ticket->'id',
        'engineer_id', (SELECT e.id FROM engineers e WHERE e.id = (SELECT baton.as_uuid(raw->>'engineer_id'))),
        'equipment_id', (SELECT e.id FROM equipment e WHERE e.id = raw->>'equipment_id'),
        'assignment_sequence', NULL,
        'assignment_tier', greatest(coalesce((raw->>'assignment_tier')::int, 1), 1),
        'assignment_tier_name', baton.tier_name(greatest(coalesce((raw->>'assignment_tier')::int, 1), 1),
            raw->>'assignment_tier_name'),
        'assignment_type', CASE WHEN raw->>'assignment_type' IN ('auto', 'manual') THEN raw->>'assignment_type'
            ELSE 'manual' END,
        'status', CASE
            WHEN raw->>'status' IN ('en_route', 'on_site') THEN 'in_progress'
            WHEN raw->>'status' IS NULL THEN 'assigned'
            WHEN raw->>'status' IN ('assigned', 'accepted', 'in_progress', 'completed', 'failed', 'rejected',
                'escalated', 'cancelled') THEN raw->>'status' END,
        'assigned_at', coalesce(raw->>'assigned_at', raw->>'created_at', ticket->>'created_at'),
        'started_at', coalesce(raw->>'started_at', raw->>'work_started_at'),
        'completed_at', coalesce(raw->>'completed_at', raw->>'work_completed_at'),
        'parts_used', CASE jsonb_typeof(raw->'parts_used') WHEN 'array' THEN raw->'parts_used'
            WHEN 'object' THEN jsonb_build_array(raw->'parts_used') ELSE '[]' END,
        'notes', nullif(concat_ws(E'\n', raw->>'notes',
            'Status was ' || (CASE WHEN raw->>'status' IN ('en_route', 'on_site') THEN raw->>'status' END)), ''),
        'customer_rating', CASE WHEN (raw->>'customer_rating')::int BETWEEN 1 AND 5 THEN raw->'customer_rating' END,
        'origin', 'legacy',
        'created_at', coalesce(raw->>'created_at', raw->>'assigned_at', ticket->>'created_at'),
        'updated_at', coalesce(raw->>'updated_at', raw->>'created_at', raw->>'assigned_at', ticket->>'created_at'))) AS r
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
        ELSE 'assigned' END AS status) AS s
    CROSS JOIN LATERAL jsonb_populate_record(NULL::baton.engineer_assignments, jsonb_build_object(
        'id', gen_random_uuid(),
        'ticket_id', ticket->'id',
        'engineer_id', (SELECT e.id FROM engineers e WHERE e.id = (SELECT baton.as_uuid(ticket->>'assigned_engineer_id'))),
        'equipment_id', (SELECT e.id FROM equipment e WHERE e.id = ticket->>'equipment_id'),
        'assignment_tier', greatest(coalesce((ticket->>'assignment_tier')::int, 1), 1),
        'assignment_tier_name', baton.tier_name(greatest(coalesce((ticket->>'assignment_tier')::int, 1), 1),
            ticket->>'assignment_tier_name'),
        'assignment_reason', 'Initial (migrated)',
        'assignment_type', 'manual',
        'status', s.status,
        'assigned_by', 'system:migration',
        'assigned_at', coalesce(ticket->>'assigned_at', ticket->>'created_at'),
        'started_at', CASE WHEN s.status IN ('in_progress', 'completed') THEN ticket->>'started_at' END,
        'completed_at', CASE WHEN baton.ended(ticket->>'status') THEN baton.ended_at(ticket) END,
        'cancellation_reason', CASE WHEN s.status = 'cancelled' THEN 'The ticket was cancelled' END,
        'parts_used', '[]'::jsonb,
        'origin', 'backfill',
        'created_at', ticket->'created_at',
        'updated_at', ticket->'updated_at')) AS r
$$;

CREATE FUNCTION baton.note(
    p_outcome text, p_reason text, p_raw jsonb, p_ticket text, p_assignment uuid DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO assignment_migration_issues (ticket_id, assignment_id, outcome, reason, raw)
    VALUES (p_ticket, p_assignment, p_outcome, p_reason, p_raw)
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
-- single tickets and batches, and may be made while a table is still empty.
CREATE FUNCTION baton.take_over(tickets jsonb[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    WITH ticket AS MATERIALIZED (
        SELECT t.ticket, t.ticket->>'id' AS ticket_id,
            baton.ended(t.ticket->>'status') AS ended,
            btrim(coalesce(t.ticket->>'assigned_engineer_id', '')) <> '' AS names_engineer,
            named
        FROM unnest(tickets) AS t (ticket)
        CROSS JOIN LATERAL baton.from_old_columns(t.ticket) AS named
        WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = t.ticket->>'id')
    ), old_row AS MATERIALIZED (
        -- A ticket without old rows appears once, with null for the row.
        SELECT t.*, to_jsonb(a) AS raw
        FROM ticket t
        LEFT JOIN public.engineer_assignments a ON a.ticket_id::text = ANY (baton.old_ids(t.ticket_id))
    ), old_assignment AS MATERIALIZED (
        SELECT o.*, r AS assignment,
            r.engineer_id IS NOT NULL AND r.status IS NOT NULL AS known,
            r.engineer_id IS NOT NULL AND r.status IN ('assigned', 'accepted', 'in_progress') AS active,
            coalesce(NOT o.ended AND r.status IN ('assigned', 'accepted', 'in_progress') AND r.engineer_id
                = CASE WHEN o.names_engineer THEN coalesce((o.named).engineer_id, r.engineer_id) ELSE r.engineer_id END,
                false) AS may_hold
        FROM old_row o
        LEFT JOIN LATERAL baton.taken_over(o.raw, o.ticket) AS r ON o.raw IS NOT NULL
    ), placed AS MATERIALIZED (
        -- Of several active rows one stays: the newest of the engineer named by the ticket, else the newest.
        SELECT t.*,
            row_number() OVER (PARTITION BY t.ticket_id, t.known
                ORDER BY (t.assignment).assigned_at, (t.assignment).created_at, (t.assignment).id) AS n,
            t.may_hold AND row_number() OVER (PARTITION BY t.ticket_id, t.may_hold
                ORDER BY (t.assignment).assigned_at DESC, (t.assignment).created_at DESC,
                    (t.assignment).id DESC) = 1 AS holds
        FROM old_assignment t
    ), settled AS MATERIALIZED (
        SELECT p.ticket_id, p.ticket, p.named, p.names_engineer, p.ended, p.raw, p.known, p.n, p.holds,
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
        SELECT DISTINCT ON (s.ticket_id) s.ticket_id, s.ticket, s.named,
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
        INSERT INTO assignment_migration_issues (ticket_id, assignment_id, outcome, reason, raw)
        (SELECT s.ticket_id, (s.assignment).id, CASE WHEN s.known THEN 'closed' ELSE 'quarantined' END,
            CASE WHEN (s.assignment).status IS NULL THEN 'unknown status'
                WHEN NOT s.known THEN 'unknown engineer'
                WHEN s.ended THEN 'the ticket had ended'
                ELSE 'another assignment held the ticket' END,
            s.raw
        FROM settled s WHERE s.closes OR (NOT s.known AND s.raw IS NOT NULL)
        ORDER BY s.ticket_id, (s.assignment).assigned_at, (s.assignment).created_at, (s.assignment).id)
        UNION ALL
        SELECT r.ticket_id, NULL, 'quarantined', 'the ticket names an unknown engineer', baton.old_columns(r.ticket)
        FROM result r WHERE r.outcome = 'quarantined'
    )
    INSERT INTO assignment_migration
    SELECT r.ticket_id, r.outcome, baton.old_columns(r.ticket) FROM result r;
END $$;

-- Updates the history to match what the old application has just written to a ticket. It compares states, not
-- writers, so it does nothing if they agree already, as after a change by the new application.
CREATE FUNCTION baton.agree(ticket jsonb, columns_changed boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this text := ticket->>'id';
    active baton.engineer_assignments;
    named baton.engineer_assignments;
BEGIN
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
            PERFORM baton.end_turn(active, 'cancelled', app_now(), 'The old application took the ticket back');
        END IF;
    ELSIF columns_changed AND named.engineer_id IS NULL THEN
        PERFORM baton.note('quarantined', 'the ticket names an unknown engineer', baton.old_columns(ticket), this);
        PERFORM baton.end_turn(active, 'cancelled', app_now(), 'The old application named an unknown engineer');
    ELSIF columns_changed AND (active.engineer_id IS DISTINCT FROM named.engineer_id
            OR (ticket->>'assignment_tier')::int <> active.assignment_tier) THEN
        PERFORM baton.end_turn(active, CASE WHEN named.assignment_tier > active.assignment_tier THEN 'escalated'
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
        PERFORM baton.end_turn(active, 'completed', baton.ended_at(ticket), NULL);
    ELSIF ticket->>'status' = 'cancelled' THEN
        PERFORM baton.end_turn(active, 'cancelled', baton.ended_at(ticket), 'The ticket was cancelled');
    ELSIF ticket->>'status' = 'in_progress' AND active.status IN ('assigned', 'accepted') THEN
        UPDATE baton.engineer_assignments
        SET status = 'in_progress', started_at = coalesce((ticket->>'started_at')::timestamptz, app_now()),
            origin = 'legacy', updated_at = app_now()
        WHERE id = active.id;
    END IF;
END $$;

CREATE FUNCTION baton.end_turn(active baton.engineer_assignments, p_status text, p_at timestamptz, p_reason text)
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
          WHERE o.ticket_id::text = ANY (baton.old_ids(converted.ticket_id)) AND o.id::text = a.id::text);
    IF active.id IS NULL THEN
        RETURN false;
    END IF;
    IF active.origin = 'live' OR EXISTS (
            SELECT FROM assignment_events e WHERE e.ticket_id = active.ticket_id AND e.assignment_id = active.id) THEN
        PERFORM baton.note('quarantined', recorded, raw, converted.ticket_id, row_id);
        RETURN true;
    END IF;
    UPDATE baton.engineer_assignments SET id = row_id WHERE id = active.id;
    RETURN false;
END $$;

-- The old application also writes its own engineer_assignments: copies such a row to the history.
CREATE FUNCTION baton.follow_row(raw jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ticket jsonb;
    existing baton.engineer_assignments;
    converted baton.engineer_assignments;
    active baton.engineer_assignments;
BEGIN
    SELECT to_jsonb(t) INTO ticket FROM service_tickets t
    WHERE t.id = coalesce(
        (SELECT u.id FROM service_tickets u WHERE u.id = raw->>'ticket_id'),
        (SELECT u.id FROM service_tickets u WHERE lower(u.id) = raw->>'ticket_id' LIMIT 1))
    FOR NO KEY UPDATE;
    IF ticket IS NULL THEN
        PERFORM baton.note('quarantined', 'unknown ticket', raw, raw->>'ticket_id', (raw->>'id')::uuid);
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = ticket->>'id') THEN
        PERFORM baton.take_over(ARRAY[ticket]);
        RETURN;
    END IF;
    SELECT r.* INTO converted FROM baton.taken_over(raw, ticket) AS r;
    IF baton.is_recorded(converted.id, converted, raw) THEN
        RETURN;
    END IF;
    IF raw->>'assignment_tier' IS NULL AND ticket->>'assignment_tier' IS NOT NULL
            AND baton.known_engineer(ticket->>'assigned_engineer_id') = converted.engineer_id THEN
        SELECT named.assignment_tier, named.assignment_tier_name
        INTO converted.assignment_tier, converted.assignment_tier_name FROM baton.from_old_columns(ticket) AS named;
    END IF;
    SELECT a.* INTO existing FROM baton.engineer_assignments a WHERE a.id = converted.id;
    IF converted.engineer_id IS NULL OR converted.status IS NULL THEN
        PERFORM baton.note('quarantined',
            CASE WHEN converted.status IS NULL THEN 'unknown status' ELSE 'unknown engineer' END,
            raw, ticket->>'id', converted.id);
    ELSIF existing.id IS NULL THEN
        IF converted.status IN ('assigned', 'accepted', 'in_progress') AND baton.ended(ticket->>'status') THEN
            converted := baton.closed(converted, ticket);
        ELSIF converted.status IN ('assigned', 'accepted', 'in_progress') THEN
            SELECT a.* INTO active FROM baton.engineer_assignments a
            WHERE a.ticket_id = converted.ticket_id AND a.status IN ('assigned', 'accepted', 'in_progress');
            PERFORM baton.end_turn(active, 'cancelled', app_now(), 'The old application gave the ticket to another');
        END IF;
        SELECT coalesce(max(a.assignment_sequence), 0) + 1 INTO converted.assignment_sequence
        FROM baton.engineer_assignments a WHERE a.ticket_id = converted.ticket_id;
        INSERT INTO baton.engineer_assignments SELECT converted.*;
    ELSIF existing.status IN ('assigned', 'accepted', 'in_progress') THEN
        UPDATE baton.engineer_assignments
        SET status = converted.status, accepted_at = converted.accepted_at, rejected_at = converted.rejected_at,
            started_at = converted.started_at, completed_at = converted.completed_at, diagnosis = converted.diagnosis,
            actions_taken = converted.actions_taken, parts_used = converted.parts_used,
            customer_rating = converted.customer_rating, customer_feedback = converted.customer_feedback,
            origin = 'legacy', updated_at = converted.updated_at
        WHERE id = converted.id;
    ELSIF (existing.customer_rating, existing.customer_feedback) IS DISTINCT FROM (converted.customer_rating, converted.customer_feedback) THEN
        UPDATE baton.engineer_assignments
        SET customer_rating = converted.customer_rating, customer_feedback = converted.customer_feedback
        WHERE id = converted.id;
    ELSIF existing.status <> converted.status THEN
        PERFORM baton.note('quarantined', 'the assignment had ended', raw, ticket->>'id', converted.id);
    END IF;
END $$;

-- The triggers run with their owner's rights: neither application needs rights on the other's tables.
CREATE FUNCTION baton.follow_ticket() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    old_ticket jsonb;
    new_ticket jsonb := to_jsonb(NEW);
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM baton.take_over(ARRAY[new_ticket]);
        RETURN NULL;
    END IF;
    old_ticket := to_jsonb(OLD);
    IF baton.old_columns(old_ticket) IS DISTINCT FROM baton.old_columns(new_ticket) OR old_ticket->>'status' <> new_ticket->>'status' THEN
        -- A ticket that the backfill has not reached is first migrated in its previous state, so that nothing is skipped.
        PERFORM baton.take_over(ARRAY[old_ticket]);
        PERFORM baton.agree(new_ticket, baton.who_and_when(old_ticket) IS DISTINCT FROM baton.who_and_when(new_ticket)
            OR (baton.ended(old_ticket->>'status') AND NOT baton.ended(new_ticket->>'status')));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION baton.follow_old_assignment() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE active baton.engineer_assignments;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT a.* INTO active FROM baton.engineer_assignments a
        WHERE a.id = OLD.id AND a.status IN ('assigned', 'accepted', 'in_progress');
        PERFORM baton.end_turn(active, 'cancelled', app_now(), 'The old application deleted it');
    ELSE
        PERFORM baton.follow_row(to_jsonb(NEW));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION baton.tell_old_columns() RETURNS trigger LANGUAGE plpgsql
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
        OR (c.assigned_engineer_id IS NOT NULL AND c.assignment_tier <> greatest(1, CASE
            WHEN btrim(t.assignment_tier::text) ~ '^-?[0-9]{1,9}(\.0*)?$' THEN t.assignment_tier::text::numeric END)));
    RETURN NULL;
END $$;

-- The triggers ignore writes by triggers, so the two directions do not trigger each other; but not what other triggers
-- write to the old table, to which ours never write.
CREATE TRIGGER history_follows_ticket AFTER INSERT OR UPDATE ON service_tickets
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION baton.follow_ticket();
CREATE TRIGGER history_follows_old_assignment AFTER INSERT OR UPDATE OR DELETE ON public.engineer_assignments
    FOR EACH ROW EXECUTE FUNCTION baton.follow_old_assignment();
CREATE TRIGGER old_columns_follow_new AFTER INSERT ON baton.engineer_assignments
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NEW.origin = 'live') EXECUTE FUNCTION baton.tell_old_columns();
CREATE TRIGGER old_columns_follow_change AFTER UPDATE ON baton.engineer_assignments
    FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION baton.tell_old_columns();

-- Applies what the old application changed while the history was not in use.
CREATE FUNCTION baton.catch_up(ticket jsonb) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    raw jsonb;
    -- Computed first: the old rows applied below do not change the engineer named by the ticket.
    columns_changed boolean := (
        SELECT m.old_columns IS DISTINCT FROM baton.old_columns(ticket)
            AND (baton.known_engineer(ticket->>'assigned_engineer_id') IS DISTINCT FROM c.assigned_engineer_id::uuid
                OR greatest(coalesce((ticket->>'assignment_tier')::int, 1), 1) <> coalesce(c.assignment_tier, 1))
        FROM service_tickets_compat c, assignment_migration m
        WHERE c.id = ticket->>'id' AND m.ticket_id = c.id);
BEGIN
    -- Not in the function's SET clause: only a superuser may do that with a custom setting.
    PERFORM set_config('baton.catches_up', 'on', true);
    FOR raw IN
        SELECT to_jsonb(a)
        FROM public.engineer_assignments a
        LEFT JOIN baton.engineer_assignments known ON known.id = a.id
        WHERE a.ticket_id::text = ANY (baton.old_ids(ticket->>'id'))
          AND (known.id IS NULL OR a.updated_at > known.updated_at)
          AND NOT EXISTS (SELECT FROM assignment_migration_issues i WHERE i.assignment_id = a.id AND i.raw = to_jsonb(a))
        ORDER BY a.assigned_at, a.id
    LOOP
        PERFORM baton.follow_row(raw);
    END LOOP;
    PERFORM baton.agree(ticket, columns_changed);
    PERFORM set_config('baton.catches_up', '', true);
END $$;

-- Migrates all tickets in batches. Each commits together with the progress, so that the next call continues there.
-- After each batch it sleeps for the duration of the batch, times `rest`.
CREATE PROCEDURE baton.backfill(batch int DEFAULT 500, rest float8 DEFAULT 0.5) LANGUAGE plpgsql AS $$
DECLARE
    total bigint := (SELECT count(*) FROM service_tickets);
    done bigint := (SELECT count(*) FROM service_tickets t, assignment_migration_state s WHERE t.id <= s.reached);
    size int := batch;
    started timestamptz;
    duration_s float8;
    tickets jsonb[];
    ticket jsonb;
BEGIN
    LOOP
        started := clock_timestamp();
        tickets := ARRAY(
            SELECT to_jsonb(t) FROM service_tickets t
            WHERE t.id > (SELECT s.reached FROM assignment_migration_state s)
            ORDER BY t.id LIMIT size FOR NO KEY UPDATE OF t);
        EXIT WHEN cardinality(tickets) = 0;
        FOREACH ticket IN ARRAY tickets LOOP
            IF EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = ticket->>'id') THEN
                PERFORM baton.catch_up(ticket);
            END IF;
        END LOOP;
        PERFORM baton.take_over(tickets);
        UPDATE assignment_migration_state SET reached = tickets[cardinality(tickets)]->>'id';
        COMMIT;
        done := done + cardinality(tickets);
        RAISE INFO '% of % tickets taken over', least(done, total), total;
        duration_s := extract(epoch FROM clock_timestamp() - started);
        -- A writer to a ticket of the batch waits for its end: aim at 0.2 s, also on a busy server.
        size := least(batch, greatest(1, size * 0.2 / duration_s));
        PERFORM pg_sleep(rest * duration_s);
    END LOOP;
    INSERT INTO assignment_migration_issues (ticket_id, assignment_id, outcome, reason, raw)
    SELECT a.ticket_id::text, a.id, 'quarantined', 'unknown ticket', to_jsonb(a)
    FROM public.engineer_assignments a
    WHERE NOT EXISTS (SELECT FROM baton.engineer_assignments known WHERE known.id = a.id)
      AND NOT EXISTS (SELECT FROM assignment_migration_issues i WHERE i.assignment_id = a.id);
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

    IF old_table IS NOT NULL THEN
        EXECUTE format($q$
            SELECT count(*), count(a.id), count(*) FILTER (WHERE a.id IS NULL AND EXISTS (
                SELECT FROM assignment_migration_issues i WHERE i.assignment_id = o.id AND i.outcome = 'quarantined'))
            FROM %s o LEFT JOIN engineer_assignments a ON a.id = o.id $q$, old_table)
        INTO counted, expected, accounted;
        item := 'Old assignments'; expected := expected + accounted; RETURN NEXT;
        item := '  taken over'; counted := expected - accounted; expected := NULL; RETURN NEXT;
        item := '  quarantined'; counted := accounted; RETURN NEXT;
    END IF;

    RETURN QUERY SELECT 'Tickets with a gap in their sequence', count(*), 0::bigint
        FROM (SELECT FROM engineer_assignments a GROUP BY a.ticket_id
            HAVING min(a.assignment_sequence) <> 1 OR max(a.assignment_sequence) <> count(*)) AS gap;
    RETURN QUERY SELECT 'Ended tickets with a current assignment', count(*), 0::bigint
        FROM current_ticket_assignments c JOIN service_tickets t ON t.id = c.ticket_id
        WHERE t.status IN ('resolved', 'closed', 'cancelled');
    IF side_by_side THEN
        RETURN QUERY SELECT 'Tickets not taken over', count(*), 0::bigint FROM service_tickets t
            WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = t.id);
        -- Without unknown engineers: those tickets are quarantined.
        RETURN QUERY SELECT 'Tickets with different engineers in old columns and history', count(*), 0::bigint
            FROM current_ticket_assignments c JOIN service_tickets t ON t.id = c.ticket_id
            JOIN engineers e ON e.id = baton.as_uuid(t.assigned_engineer_id::text)
            WHERE e.id <> c.engineer_id;
    END IF;
END $$;
ALTER FUNCTION assignment_migration_report() SET search_path = baton, public;
