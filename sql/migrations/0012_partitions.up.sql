-- migrate: works with 0.1
-- 0012 up: partitions events by month and idempotency keys by day. The existing tables become the first partitions.
-- No row is read, because 0011 has validated the checks and built the indexes.
--
-- Events are looked up by ticket or by id. The primary key starts with the ticket, and must contain the partition
-- key. A key is unique within its day. A key used in the last hour of a day is also inserted for the next day, so
-- that concurrent uses around midnight conflict: no transaction takes an hour.

-- The tables are locked, so no other session sees a state between two statements.
-- squawk-ignore-file ban-drop-constraint, renaming-table, require-concurrent-index-deletion
SET LOCAL search_path = baton, public;
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
LOCK TABLE engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;
LOCK TABLE public.assignment_events, public.idempotency_keys IN ACCESS EXCLUSIVE MODE NOWAIT;

-- Not needed: events are kept for months longer than keys.
ALTER TABLE public.idempotency_keys DROP CONSTRAINT idempotency_keys_event_id_fkey;

ALTER TABLE public.assignment_events RENAME TO assignment_events_before;
ALTER TABLE public.assignment_events_before DROP CONSTRAINT assignment_events_pkey;
ALTER TABLE public.assignment_events_before ADD PRIMARY KEY USING INDEX assignment_events_before_pkey;
DROP INDEX public.assignment_events_ticket;

ALTER TABLE public.idempotency_keys RENAME TO idempotency_keys_before;
-- The first partition keeps the constraint's name: older servers recognise a concurrent insert by it.
ALTER TABLE public.idempotency_keys_before DROP CONSTRAINT idempotency_keys_pkey;
ALTER TABLE public.idempotency_keys_before ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY USING INDEX idempotency_keys_before_pkey;

CREATE TABLE public.assignment_events (
    LIKE public.assignment_events_before INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY (ticket_id, id, occurred_at)
) PARTITION BY RANGE (occurred_at);
ALTER TABLE public.assignment_events DROP CONSTRAINT assignment_events_before;
CREATE INDEX assignment_events_id ON public.assignment_events (id);
COMMENT ON TABLE public.assignment_events IS 'Audit log: each change of an assignment, who made it, and the row afterwards. Append only.';

CREATE TABLE public.idempotency_keys (
    LIKE public.idempotency_keys_before INCLUDING CONSTRAINTS INCLUDING DEFAULTS,
    CONSTRAINT idempotency_keys_by_day_pkey PRIMARY KEY (actor, key, day)
) PARTITION BY RANGE (day);
ALTER TABLE public.idempotency_keys DROP CONSTRAINT idempotency_keys_before;
COMMENT ON TABLE public.idempotency_keys IS 'Maps an idempotency key to the change it made, so that a repeat changes nothing and returns the same result.';

DO $$
DECLARE
    bound text;
    last_id bigint;
    was_called boolean;
    item record;
BEGIN
    SELECT s.last_value, s.is_called INTO last_id, was_called FROM public.assignment_events_id_seq s;
    ALTER TABLE public.assignment_events_before ALTER COLUMN id DROP IDENTITY;
    ALTER TABLE public.assignment_events
        ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.assignment_events_id_seq);
    PERFORM setval('public.assignment_events_id_seq', last_id, was_called);

    FOR item IN
        SELECT replace(c.conrelid::regclass::text, '_before', '') AS parent, c.conname, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c
        WHERE c.contype = 'f'
          AND c.conrelid IN ('public.assignment_events_before'::regclass, 'public.idempotency_keys_before'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE public.%I ADD CONSTRAINT %I %s', item.parent, item.conname, item.definition);
    END LOOP;

    -- The upper bound of each first partition is that of its check.
    FOR item IN SELECT * FROM (VALUES ('assignment_events'), ('idempotency_keys')) AS t (parent) LOOP
        SELECT substring(pg_get_constraintdef(c.oid) FROM '''[^'']+''') INTO STRICT bound
        FROM pg_constraint c
        WHERE c.conname = item.parent || '_before' AND c.conrelid = format('public.%I', item.parent || '_before')::regclass;
        EXECUTE format('ALTER TABLE public.%1$I ATTACH PARTITION public.%2$I FOR VALUES FROM (MINVALUE) TO (%3$s)',
            item.parent, item.parent || '_before', bound);
        EXECUTE format('ALTER TABLE public.%1$I DROP CONSTRAINT %1$I', item.parent || '_before');
        EXECUTE format('CREATE TABLE public.%2$I PARTITION OF public.%1$I DEFAULT',
            item.parent, item.parent || '_default');
    END LOOP;

    -- Copy the grants, so that running servers keep their access.
    FOR item IN
        SELECT p.relname, a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS role
        FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.relname IN ('assignment_events_before', 'idempotency_keys_before')
          AND p.relnamespace = 'public'::regnamespace AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s',
            item.privilege_type, replace(item.relname, '_before', ''), item.role);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION public.enter_key_for_tomorrow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.day := NEW.day + 1;
    INSERT INTO public.idempotency_keys SELECT NEW.*;
    RETURN NULL;
END $$;
CREATE TRIGGER keys_meet_at_midnight AFTER INSERT ON public.idempotency_keys
    FOR EACH ROW WHEN (((app_now() + interval '1 hour') AT TIME ZONE 'UTC')::date > NEW.day)
    EXECUTE FUNCTION public.enter_key_for_tomorrow();

-- Keys are removed only by dropping a day. An older server deletes old keys by ctid, which is unique only within a
-- partition, and would also hit keys of other days.
CREATE OR REPLACE FUNCTION public.keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END $$;
CREATE TRIGGER keys_go_with_their_day BEFORE DELETE ON public.idempotency_keys
    FOR EACH ROW EXECUTE FUNCTION public.keep_key();
