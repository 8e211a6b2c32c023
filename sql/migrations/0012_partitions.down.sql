-- 0012 down: events and keys are one table each again. The oldest partition becomes the table of events, and the
-- events of the other partitions are copied into it. This blocks writes for about a minute per five million events;
-- reads continue.

-- The tables are locked, so no other session sees a state between two statements.
-- squawk-ignore-file ban-drop-constraint, renaming-object, renaming-table, require-concurrent-partition-detach
SET LOCAL search_path = baton, public;
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
LOCK TABLE engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;
LOCK TABLE public.assignment_events, public.idempotency_keys IN ACCESS EXCLUSIVE MODE NOWAIT;

-- Both tables have the same column order, because LIKE created one from the other.
ALTER TABLE public.idempotency_keys RENAME TO idempotency_keys_by_day;
CREATE TABLE public.idempotency_keys (LIKE public.idempotency_keys_by_day INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO public.idempotency_keys
SELECT DISTINCT ON (k.actor, k.key) k.* FROM public.idempotency_keys_by_day k ORDER BY k.actor, k.key, k.day;

ALTER TABLE public.assignment_events DETACH PARTITION public.assignment_events_before;
INSERT INTO public.assignment_events_before SELECT e.* FROM public.assignment_events e ORDER BY e.id;
ALTER TABLE public.assignment_events RENAME TO assignment_events_by_month;
ALTER TABLE public.assignment_events_before RENAME TO assignment_events;

DO $$
DECLARE
    last_id bigint;
    was_called boolean;
    item record;
BEGIN
    SELECT s.last_value, s.is_called INTO last_id, was_called FROM public.assignment_events_id_seq s;
    FOR item IN
        SELECT p.relname, a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS role
        FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.relname IN ('assignment_events_by_month', 'idempotency_keys_by_day')
          AND p.relnamespace = 'public'::regnamespace AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s', item.privilege_type,
            regexp_replace(item.relname, '_by_(month|day)$', ''), item.role);
    END LOOP;
    -- Of the copied table. NOT VALID: 0011 down validates them without blocking writes.
    FOR item IN
        SELECT c.conname, pg_get_constraintdef(c.oid) AS definition FROM pg_constraint c
        WHERE c.contype = 'f' AND c.conrelid = 'public.idempotency_keys_by_day'::regclass
    LOOP
        EXECUTE format('ALTER TABLE public.idempotency_keys ADD CONSTRAINT %I %s NOT VALID', item.conname, item.definition);
    END LOOP;
    DROP TABLE public.assignment_events_by_month;
    DROP TABLE public.idempotency_keys_by_day;
    DROP FUNCTION public.keep_key();
    DROP FUNCTION public.enter_key_for_tomorrow();
    ALTER TABLE public.assignment_events
        ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.assignment_events_id_seq);
    PERFORM setval('public.assignment_events_id_seq', last_id, was_called);
END $$;

-- The names that 0012 up and older releases expect; 0013 down has built the indexes.
ALTER TABLE public.assignment_events DROP CONSTRAINT assignment_events_before_pkey;
ALTER TABLE public.assignment_events ADD CONSTRAINT assignment_events_pkey PRIMARY KEY USING INDEX assignment_events_before_one;
ALTER INDEX public.assignment_events_before_ticket RENAME TO assignment_events_ticket;
ALTER TABLE public.idempotency_keys ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (actor, key);
ALTER TABLE public.idempotency_keys ADD CONSTRAINT idempotency_keys_event_id_fkey
    FOREIGN KEY (event_id) REFERENCES public.assignment_events (id) NOT VALID;
COMMENT ON TABLE public.idempotency_keys IS 'Maps an idempotency key to the change it made, so that a repeat changes nothing and returns the same result.';
