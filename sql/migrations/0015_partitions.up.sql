-- 0015 up: events are partitioned by month, and idempotency keys by day. The tables as they were become the first
-- partition of each; no row is looked at, since checks and indexes are there already.
--
-- An event is found by its ticket or by its id; a unique constraint holds the ticket, and must hold the time. A key
-- is unique within its day, and one of the last hour of a day is entered under the next day as well: so two who use
-- it at midnight meet at one row, as no transaction takes an hour.

-- The tables are locked, so that nobody is between two statements.
-- squawk-ignore-file ban-drop-constraint, renaming-table, require-concurrent-index-deletion
SET LOCAL search_path = baton, public;
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- The others are not waited for while the first is held; the migrator tries again.
LOCK TABLE engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;
LOCK TABLE public.assignment_events, public.idempotency_keys IN ACCESS EXCLUSIVE MODE NOWAIT;

-- An event outlives its key by months, so nothing has to look after that.
ALTER TABLE public.idempotency_keys DROP CONSTRAINT idempotency_keys_event_id_fkey;

ALTER TABLE public.assignment_events RENAME TO assignment_events_before;
ALTER TABLE public.assignment_events_before DROP CONSTRAINT assignment_events_pkey;
ALTER TABLE public.assignment_events_before ADD PRIMARY KEY USING INDEX assignment_events_before_pkey;
DROP INDEX public.assignment_events_ticket;

ALTER TABLE public.idempotency_keys RENAME TO idempotency_keys_before;
DROP INDEX IF EXISTS public.idempotency_keys_created_at;
-- The first partition keeps the name of the constraint, by which a server of the release before knows a rival.
ALTER TABLE public.idempotency_keys_before DROP CONSTRAINT idempotency_keys_pkey;
ALTER TABLE public.idempotency_keys_before ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY USING INDEX idempotency_keys_before_pkey;

CREATE TABLE public.assignment_events (
    LIKE public.assignment_events_before INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    PRIMARY KEY (ticket_id, id, occurred_at)
) PARTITION BY RANGE (occurred_at);
ALTER TABLE public.assignment_events DROP CONSTRAINT assignment_events_before;
CREATE INDEX assignment_events_id ON public.assignment_events (id);
COMMENT ON TABLE public.assignment_events IS 'What happened to which assignment, who did it, and the row as it was afterwards. Append only.';

CREATE TABLE public.idempotency_keys (
    LIKE public.idempotency_keys_before INCLUDING CONSTRAINTS INCLUDING DEFAULTS,
    CONSTRAINT idempotency_keys_by_day_pkey PRIMARY KEY (actor, key, day)
) PARTITION BY RANGE (day);
ALTER TABLE public.idempotency_keys DROP CONSTRAINT idempotency_keys_before;
COMMENT ON TABLE public.idempotency_keys IS 'The change that a key has made, so that a repeat changes nothing and answers the same.';

DO $$
DECLARE
    bound text;
    last_id bigint;
    was_called boolean;
    given record;
BEGIN
    SELECT s.last_value, s.is_called INTO last_id, was_called FROM public.assignment_events_id_seq s;
    ALTER TABLE public.assignment_events_before ALTER COLUMN id DROP IDENTITY;
    ALTER TABLE public.assignment_events
        ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.assignment_events_id_seq);
    PERFORM setval('public.assignment_events_id_seq', last_id, was_called);

    FOR given IN
        SELECT replace(c.conrelid::regclass::text, '_before', '') AS parent, c.conname, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c
        WHERE c.contype = 'f'
          AND c.conrelid IN ('public.assignment_events_before'::regclass, 'public.idempotency_keys_before'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE public.%I ADD CONSTRAINT %I %s', given.parent, given.conname, given.definition);
    END LOOP;

    -- The first partitions end where their checks say.
    FOR given IN SELECT * FROM (VALUES ('assignment_events'), ('idempotency_keys')) AS t (parent) LOOP
        SELECT substring(pg_get_constraintdef(c.oid) FROM '''[^'']+''') INTO STRICT bound
        FROM pg_constraint c WHERE c.conname = given.parent || '_before';
        EXECUTE format('ALTER TABLE public.%1$I ATTACH PARTITION public.%2$I FOR VALUES FROM (MINVALUE) TO (%3$s)',
            given.parent, given.parent || '_before', bound);
        EXECUTE format('ALTER TABLE public.%1$I DROP CONSTRAINT %1$I', given.parent || '_before');
        EXECUTE format('CREATE TABLE public.%2$I PARTITION OF public.%1$I DEFAULT',
            given.parent, given.parent || '_default');
    END LOOP;

    -- Servers of the release before go on: whoever had rights has them now.
    FOR given IN
        SELECT p.relname, a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS role
        FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.relname IN ('assignment_events_before', 'idempotency_keys_before')
          AND p.relnamespace = 'public'::regnamespace AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s',
            given.privilege_type, replace(given.relname, '_before', ''), given.role);
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

-- A server of the release before would delete old keys by where they lie in their partition, and hit keys of other
-- days with them. It finds nothing to delete.
CREATE OR REPLACE FUNCTION public.keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END $$;
CREATE TRIGGER keys_go_with_their_day BEFORE DELETE ON public.idempotency_keys
    FOR EACH ROW EXECUTE FUNCTION public.keep_key();
