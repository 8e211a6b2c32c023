-- migrate: no-transaction, works with 0.1
-- 0011 up: prepares assignment_events and idempotency_keys to become the first partition of partitioned tables. The
-- next migration then needs no table scan: the checks are validated and the indexes are built here, without
-- blocking writes.
--
-- Until 0012 has run, the checks reject events after the end of next month and keys from a week after this one.
-- If 0012 cannot run within a week, migrate down to 0010 and up again, which sets new bounds.

-- One statement drops a check and adds it again, and each statement is safe to run twice.
-- squawk-ignore-file adding-field-with-default, prefer-robust-stmts

-- A constant default for existing rows, so that the table is not rewritten; new rows get the current day.
ALTER TABLE public.idempotency_keys
    ADD COLUMN IF NOT EXISTS day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date;
ALTER TABLE public.idempotency_keys ALTER COLUMN day SET DEFAULT (app_now() AT TIME ZONE 'UTC')::date;
-- next
DO $$
DECLARE last_event timestamptz;
BEGIN
    -- Before the lock, because it scans the table.
    SELECT max(e.occurred_at) INTO last_event FROM public.assignment_events e;
    EXECUTE format($sql$
        ALTER TABLE public.assignment_events
            DROP CONSTRAINT IF EXISTS assignment_events_before,
            ADD CONSTRAINT assignment_events_before CHECK (occurred_at < %L) NOT VALID $sql$,
        (date_trunc('month', greatest(last_event, now()) AT TIME ZONE 'UTC') + interval '2 months') AT TIME ZONE 'UTC');
    EXECUTE format($sql$
        ALTER TABLE public.idempotency_keys
            DROP CONSTRAINT IF EXISTS idempotency_keys_before,
            ADD CONSTRAINT idempotency_keys_before CHECK (day < %L) NOT VALID $sql$,
        (now() AT TIME ZONE 'UTC')::date + 7);
END $$;
-- next
ALTER TABLE public.assignment_events VALIDATE CONSTRAINT assignment_events_before;
-- next
ALTER TABLE public.idempotency_keys VALIDATE CONSTRAINT idempotency_keys_before;
-- next
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS assignment_events_before_pkey
    ON public.assignment_events (ticket_id, id, occurred_at);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS assignment_events_before_id ON public.assignment_events (id);
-- next
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS idempotency_keys_before_pkey
    ON public.idempotency_keys (actor, key, day);
