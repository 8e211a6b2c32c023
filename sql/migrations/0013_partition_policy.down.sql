-- migrate: no-transaction
-- 0013 down: partitions are no longer created or dropped. Prepares the oldest partition of events to become the
-- whole table again in 0012 down, without blocking writes.

-- Each statement is safe to run twice.
-- squawk-ignore-file ban-drop-function, ban-drop-view, ban-set-schema, prefer-robust-stmts
DO $$
DECLARE oldest text;
BEGIN
    IF to_regclass('public.assignment_events_before') IS NULL THEN
        -- The first to end; the default partition if there is no other.
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
-- Kept for the next up.
CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';
ALTER TABLE IF EXISTS public.dropped_events SET SCHEMA baton;
-- next
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS assignment_events_before_one ON public.assignment_events_before (id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS assignment_events_before_ticket
    ON public.assignment_events_before (ticket_id, id);
