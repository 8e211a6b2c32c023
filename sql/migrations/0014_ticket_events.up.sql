-- migrate: works with 0.1
-- 0014 up: one stream of events for a ticket and its assignments. The table of assignment events is renamed, and events
-- of tickets have no assignment. A view shows the old events under the old name, for servers of the release before.

-- The tables are locked, so no other session sees a state between two statements. The new check allows more types;
-- 0015 validates it.
-- squawk-ignore-file ban-drop-constraint, ban-drop-not-null, renaming-table, renaming-column, renaming-object
SET LOCAL search_path = baton, public;
LOCK TABLE service_tickets IN ACCESS EXCLUSIVE MODE;
-- NOWAIT: do not queue for this while holding the first lock; the migrator retries.
LOCK TABLE public.assignment_events IN ACCESS EXCLUSIVE MODE NOWAIT;

ALTER TABLE public.assignment_events
    -- Tickets without assignments have events now, and other applications may delete such tickets.
    DROP CONSTRAINT assignment_events_ticket_id_fkey,
    DROP CONSTRAINT assignment_events_type_check,
    ALTER COLUMN assignment_id DROP NOT NULL,
    ALTER COLUMN assignment DROP NOT NULL,
    ADD COLUMN IF NOT EXISTS source text,
    ADD COLUMN IF NOT EXISTS changes jsonb,
    ADD COLUMN IF NOT EXISTS ticket_version int,
    ADD CONSTRAINT ticket_events_type_check CHECK (type IN (
        'ticket_created', 'ticket_updated', 'ticket_held', 'ticket_resumed', 'ticket_resolved', 'ticket_closed',
        'ticket_reopened', 'ticket_cancelled', 'ticket_deleted', 'note_added',
        'assigned', 'accepted', 'rejected', 'started', 'completed', 'failed', 'escalated', 'reassigned',
        'cancelled', 'rated', 'hours_corrected', 'overdue')) NOT VALID;
ALTER TABLE public.assignment_events RENAME COLUMN occurred_at TO recorded_at;
ALTER TABLE public.assignment_events RENAME TO ticket_events;
ALTER INDEX public.assignment_events_pkey RENAME TO ticket_events_pkey;
ALTER INDEX public.assignment_events_id RENAME TO ticket_events_id;
COMMENT ON TABLE public.ticket_events IS 'Audit log: each change of a ticket or an assignment, and who made it. Append only.';
COMMENT ON COLUMN public.ticket_events.assignment IS 'The assignment after the change; null for an event of the ticket.';
COMMENT ON COLUMN public.ticket_events.changes IS 'The columns of the ticket that changed: {"status": ["new", "assigned"]}. Of several events of one change, only the last has it.';
COMMENT ON COLUMN public.ticket_events.ticket_version IS 'The version of the ticket after the change; null in older rows.';
COMMENT ON COLUMN public.ticket_events.source IS 'person, rule, import or other_application; null in older rows.';

CREATE VIEW public.assignment_events AS
SELECT e.id, e.ticket_id, e.assignment_id, e.type, e.actor, e.recorded_at AS occurred_at, e.assignment, e.request_id,
    e.token_id, e.details
FROM public.ticket_events e
WHERE e.assignment_id IS NOT NULL;
COMMENT ON VIEW public.assignment_events IS 'Baton: the events of assignments, for servers of the release before.';

DO $$
DECLARE item record;
BEGIN
    FOR item IN
        -- Partitions, and their indexes.
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition AND c.relname LIKE 'assignment\_events%'
    LOOP
        EXECUTE format('ALTER TABLE public.%I RENAME TO %I',
            item.relname, replace(item.relname, 'assignment_events', 'ticket_events'));
    END LOOP;

    -- From PostgreSQL 18 on, NOT NULL is a constraint with a name.
    FOR item IN
        SELECT c.conname FROM pg_constraint c
        WHERE c.conrelid = 'public.ticket_events'::regclass AND c.contype = 'n' AND c.conname LIKE 'assignment\_events%'
    LOOP
        EXECUTE format('ALTER TABLE public.ticket_events RENAME CONSTRAINT %I TO %I',
            item.conname, replace(replace(item.conname, 'assignment_events', 'ticket_events'), 'occurred_at', 'recorded_at'));
    END LOOP;

    -- Events of tickets that the down file has kept.
    IF to_regclass('baton.kept_ticket_events') IS NOT NULL THEN
        INSERT INTO public.ticket_events (id, ticket_id, type, actor, recorded_at, request_id, token_id, details,
            source, changes, ticket_version)
        OVERRIDING SYSTEM VALUE
        SELECT k.id, k.ticket_id, k.type, k.actor, k.recorded_at, k.request_id, k.token_id, k.details,
            k.source, k.changes, k.ticket_version
        FROM baton.kept_ticket_events k;
        DROP TABLE baton.kept_ticket_events;
    END IF;

    -- Copy the grants, so that running servers keep their access.
    FOR item IN
        SELECT a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS role
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'public.ticket_events'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON public.assignment_events TO %s', item.privilege_type, item.role);
    END LOOP;
END $$;

-- Of 0013 and 0007, with the new name.
CREATE OR REPLACE FUNCTION public.tend_partitions() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET lock_timeout = '200ms' AS $$
DECLARE
    today date := clock_timestamp()::date;
    this_month date := date_trunc('month', clock_timestamp())::date;
    first date;
    outdated text;
BEGIN
    -- One server at a time; the others skip this run.
    IF NOT pg_try_advisory_xact_lock(7301112024002) THEN
        RETURN NULL;
    END IF;

    SELECT greatest(max(p.ends_at)::date, today) INTO first FROM public.time_partitions p WHERE p.parent = 'idempotency_keys';
    IF first <= today + 3 THEN
        RETURN public.make_time_partition('idempotency_keys', to_char(first, '"idempotency_keys_p"YYYYMMDD'),
            'day', first::text, (first + 1)::text);
    END IF;
    SELECT p.name INTO outdated FROM public.time_partitions p
    WHERE p.parent = 'idempotency_keys' AND p.ends_at < today ORDER BY p.ends_at LIMIT 1;
    IF outdated IS NOT NULL THEN
        EXECUTE format('DROP TABLE public.%I', outdated);
        RETURN 'dropped ' || outdated;
    END IF;

    SELECT greatest(max(p.ends_at)::date, this_month) INTO first FROM public.time_partitions p WHERE p.parent = 'ticket_events';
    IF first <= this_month + interval '2 months' THEN
        -- Before the lock that the foreign key needs, in the same order as a command takes its locks.
        LOCK TABLE public.service_tickets IN SHARE ROW EXCLUSIVE MODE;
        RETURN public.make_time_partition('ticket_events', to_char(first, '"ticket_events_p"YYYYMM'),
            'recorded_at', first::text, (first + interval '1 month')::date::text);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.drop_events(name text) RETURNS bigint LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE last bigint;
BEGIN
    PERFORM FROM public.time_partitions p
    WHERE p.parent = 'ticket_events' AND p.name = drop_events.name AND p.ends_at < clock_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no month of events that is over', name;
    END IF;
    EXECUTE format('SELECT coalesce(max(e.id), 0) FROM public.%I e', name) INTO last;
    UPDATE public.dropped_events d SET last_id = greatest(d.last_id, last);
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN last;
END $$;

CREATE OR REPLACE FUNCTION public.keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last public.ticket_events;
BEGIN
    -- Only the customer's rating may come later; how the assignment ended is final.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    -- The hours may change if the newest event of the assignment records exactly this correction.
    IF NEW.time_spent_hours IS DISTINCT FROM OLD.time_spent_hours THEN
        SELECT e.* INTO last FROM public.ticket_events e
        WHERE e.ticket_id = OLD.ticket_id AND e.assignment_id = OLD.id
        ORDER BY e.id DESC LIMIT 1;
        IF last.type = 'hours_corrected'
            AND (last.details->>'time_spent_hours_before')::numeric IS NOT DISTINCT FROM OLD.time_spent_hours
            AND (last.assignment->>'time_spent_hours')::numeric IS NOT DISTINCT FROM NEW.time_spent_hours
        THEN
            NEW.time_spent_hours := OLD.time_spent_hours;
        END IF;
    END IF;
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'assignment % has ended as % and does not change', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ended_assignment_is_kept';
    END IF;
    RETURN NULL;
END $$;
