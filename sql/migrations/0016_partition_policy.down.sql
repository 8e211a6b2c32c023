-- migrate: no-transaction
-- 0016 down: nobody makes or drops partitions. The oldest one of events gets what the next step needs to make it
-- the whole table again, while nobody waits.

-- Each part is safe to run twice.
-- squawk-ignore-file ban-drop-function, ban-drop-view, ban-set-schema, prefer-robust-stmts
DO $$
DECLARE oldest text;
BEGIN
    IF to_regclass('public.assignment_events_before') IS NULL THEN
        -- By the time when it ends; the default partition where there is no other.
        SELECT p.name INTO STRICT oldest FROM public.time_partitions p
        WHERE p.parent = 'assignment_events' ORDER BY p.ends_at LIMIT 1;
        EXECUTE format('ALTER TABLE public.%I RENAME TO assignment_events_before', oldest);
        EXECUTE format('ALTER INDEX public.%I RENAME TO assignment_events_before_pkey', oldest || '_pkey');
    END IF;
END $$;
-- next
DROP FUNCTION IF EXISTS public.drop_events(text);
DROP FUNCTION IF EXISTS public.tend_partitions();
DROP FUNCTION IF EXISTS public.make_time_partition(text, text, text, text, text);
DROP VIEW IF EXISTS public.time_partitions;
-- Kept aside for the next time.
CREATE SCHEMA IF NOT EXISTS baton;
ALTER TABLE IF EXISTS public.dropped_events SET SCHEMA baton;
-- next
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS assignment_events_before_one ON public.assignment_events_before (id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS assignment_events_before_ticket
    ON public.assignment_events_before (ticket_id, id);
