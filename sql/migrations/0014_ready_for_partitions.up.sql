-- migrate: no-transaction
-- 0014 up: the tables of events and of keys become such that the next migration can make them the first partition
-- of a table each, without looking at a row. Here rows are looked at, and indexes are built, while nobody waits.
--
-- Until the next migration has run, no event may be later than its bound, which is two months away, and no key,
-- which is a week away. After an interruption run it again before that: then the bounds are made anew.

-- The checks are dropped and made anew in one statement, and each part is safe to run twice.
-- squawk-ignore-file adding-field-with-default, prefer-robust-stmts

-- A constant for what is there already, so that no row is written anew; the time of the change from then on.
ALTER TABLE public.idempotency_keys
    ADD COLUMN IF NOT EXISTS day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date;
ALTER TABLE public.idempotency_keys ALTER COLUMN day SET DEFAULT (app_now() AT TIME ZONE 'UTC')::date;
-- next
DO $$
DECLARE last_event timestamptz;
BEGIN
    -- Before the lock, because it reads the table whole.
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
