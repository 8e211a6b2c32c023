-- 0015 down: events and keys are one table each. The oldest partition becomes the table of events, and takes the
-- events of the others: changes wait for it, about a minute for five million of them. Reads go on.

-- The tables are locked, so that nobody is between two statements.
-- squawk-ignore-file ban-drop-constraint, renaming-object, renaming-table, require-concurrent-partition-detach
SET LOCAL search_path = baton, public;
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- The others are not waited for while the first is held; the migrator tries again.
LOCK TABLE engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;
LOCK TABLE public.assignment_events, public.idempotency_keys IN ACCESS EXCLUSIVE MODE NOWAIT;

-- The columns of both are in the same order, since each was made like the other.
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
    given record;
BEGIN
    SELECT s.last_value, s.is_called INTO last_id, was_called FROM public.assignment_events_id_seq s;
    FOR given IN
        SELECT p.relname, a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS role
        FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.relname IN ('assignment_events_by_month', 'idempotency_keys_by_day')
          AND p.relnamespace = 'public'::regnamespace AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s', given.privilege_type,
            regexp_replace(given.relname, '_by_(month|day)$', ''), given.role);
    END LOOP;
    -- Of the copied table; the rows are looked at by the next step, where nobody waits.
    FOR given IN
        SELECT c.conname, pg_get_constraintdef(c.oid) AS definition FROM pg_constraint c
        WHERE c.contype = 'f' AND c.conrelid = 'public.idempotency_keys_by_day'::regclass
    LOOP
        EXECUTE format('ALTER TABLE public.idempotency_keys ADD CONSTRAINT %I %s NOT VALID', given.conname, given.definition);
    END LOOP;
    DROP TABLE public.assignment_events_by_month;
    DROP TABLE public.idempotency_keys_by_day;
    DROP FUNCTION public.keep_key();
    DROP FUNCTION public.enter_key_for_tomorrow();
    ALTER TABLE public.assignment_events
        ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME public.assignment_events_id_seq);
    PERFORM setval('public.assignment_events_id_seq', last_id, was_called);
END $$;

-- What the way there looks for, and what the release before looks up by; the index of ids was built before.
ALTER TABLE public.assignment_events DROP CONSTRAINT assignment_events_before_pkey;
ALTER TABLE public.assignment_events ADD CONSTRAINT assignment_events_pkey PRIMARY KEY USING INDEX assignment_events_before_one;
ALTER INDEX public.assignment_events_before_ticket RENAME TO assignment_events_ticket;
ALTER TABLE public.idempotency_keys ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (actor, key);
CREATE INDEX idempotency_keys_created_at ON public.idempotency_keys (created_at);
ALTER TABLE public.idempotency_keys ADD CONSTRAINT idempotency_keys_event_id_fkey
    FOREIGN KEY (event_id) REFERENCES public.assignment_events (id) NOT VALID;
COMMENT ON TABLE public.idempotency_keys IS 'The change that a key has made, so that a repeat changes nothing and answers the same.';
