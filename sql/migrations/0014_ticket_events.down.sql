-- 0014 down: the events of assignments have their own table again. The events of tickets, and of tickets without
-- assignments, are kept in schema baton, and restored by the next up. The columns that the up file has added, and their
-- values, stay: older releases ignore them. This blocks writes while the events are read once; reads continue.

-- The tables are locked, so no other session sees a state between two statements.
-- squawk-ignore-file ban-drop-constraint, ban-drop-view, renaming-table, renaming-column, renaming-object, constraint-missing-not-valid, adding-foreign-key-constraint, adding-not-nullable-field
SET LOCAL search_path = baton, public;
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for this while holding the first lock; the migrator retries.
LOCK TABLE public.ticket_events IN ACCESS EXCLUSIVE MODE NOWAIT;

CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';
CREATE TABLE baton.kept_ticket_events AS SELECT e.* FROM public.ticket_events e WHERE e.assignment_id IS NULL;
DELETE FROM public.ticket_events e WHERE e.assignment_id IS NULL;
DROP VIEW public.assignment_events;
ALTER INDEX public.ticket_events_id RENAME TO assignment_events_id;
ALTER INDEX public.ticket_events_pkey RENAME TO assignment_events_pkey;
ALTER TABLE public.ticket_events RENAME TO assignment_events;
ALTER TABLE public.assignment_events RENAME COLUMN recorded_at TO occurred_at;
ALTER TABLE public.assignment_events
    DROP CONSTRAINT ticket_events_type_check,
    ALTER COLUMN assignment_id SET NOT NULL,
    ALTER COLUMN assignment SET NOT NULL,
    ADD CONSTRAINT assignment_events_type_check CHECK (type IN (
        'assigned', 'accepted', 'rejected', 'started', 'completed', 'failed', 'escalated', 'reassigned',
        'cancelled', 'rated', 'hours_corrected', 'overdue')),
    ADD CONSTRAINT assignment_events_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES service_tickets (id);
COMMENT ON TABLE public.assignment_events IS 'Audit log: each change of an assignment, who made it, and the row afterwards. Append only.';
COMMENT ON COLUMN public.assignment_events.assignment IS NULL;

DO $$
DECLARE item record;
BEGIN
    FOR item IN
        -- Partitions, and their indexes.
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition AND c.relname LIKE 'ticket\_events%'
    LOOP
        EXECUTE format('ALTER TABLE public.%I RENAME TO %I',
            item.relname, replace(item.relname, 'ticket_events', 'assignment_events'));
    END LOOP;

    -- From PostgreSQL 18 on, NOT NULL is a constraint with a name.
    FOR item IN
        SELECT c.conname FROM pg_constraint c
        WHERE c.conrelid = 'public.assignment_events'::regclass AND c.contype = 'n' AND c.conname LIKE 'ticket\_events%'
    LOOP
        EXECUTE format('ALTER TABLE public.assignment_events RENAME CONSTRAINT %I TO %I',
            item.conname, replace(replace(item.conname, 'ticket_events', 'assignment_events'), 'recorded_at', 'occurred_at'));
    END LOOP;
END $$;

-- Of 0013 and 0007.
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

    SELECT greatest(max(p.ends_at)::date, this_month) INTO first FROM public.time_partitions p WHERE p.parent = 'assignment_events';
    IF first <= this_month + interval '2 months' THEN
        -- The lock that the foreign keys need, in the same order as a command takes its locks.
        LOCK TABLE public.service_tickets IN SHARE ROW EXCLUSIVE MODE;
        RETURN public.make_time_partition('assignment_events', to_char(first, '"assignment_events_p"YYYYMM'),
            'occurred_at', first::text, (first + interval '1 month')::date::text);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION public.drop_events(name text) RETURNS bigint LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE last bigint;
BEGIN
    PERFORM FROM public.time_partitions p
    WHERE p.parent = 'assignment_events' AND p.name = drop_events.name AND p.ends_at < clock_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no month of events that is over', name;
    END IF;
    EXECUTE format('SELECT coalesce(max(e.id), 0) FROM public.%I e', name) INTO last;
    UPDATE public.dropped_events d SET last_id = greatest(d.last_id, last);
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN last;
END $$;

CREATE OR REPLACE FUNCTION public.keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last public.assignment_events;
BEGIN
    -- Only the customer's rating may come later; how the assignment ended is final.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    -- The hours may change if the newest event of the assignment records exactly this correction.
    IF NEW.time_spent_hours IS DISTINCT FROM OLD.time_spent_hours THEN
        SELECT e.* INTO last FROM public.assignment_events e
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
