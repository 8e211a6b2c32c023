-- migrate: no-transaction, works with 0.1
-- 0010 up: hourly rates of engineers, each valid from a point in time. Append only: a second row for the same time
-- corrects the first, and both record who set them. Without a rate, reports show hours without a price.

-- The tables are small, and each statement is safe to run twice.
-- squawk-ignore-file ban-drop-constraint, ban-drop-not-null, ban-set-schema, constraint-missing-not-valid, adding-foreign-key-constraint, prefer-robust-stmts, require-concurrent-index-creation

ALTER TABLE IF EXISTS baton.hourly_rates SET SCHEMA public;
CREATE TABLE IF NOT EXISTS public.hourly_rates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engineer_id uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    hourly_rate numeric(9, 2) NOT NULL CHECK (hourly_rate >= 0),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL,
    request_id text,
    token_id text
);
COMMENT ON TABLE public.hourly_rates IS 'Hourly rates of engineers, each valid from a point in time. Append only: of two rows for the same time, the later one applies.';
CREATE INDEX IF NOT EXISTS hourly_rates_of_engineer ON public.hourly_rates (engineer_id, valid_from DESC, id DESC);
-- next
-- The old application may have deleted engineers. It cannot delete one with assignments, so no rate in use is lost.
DELETE FROM public.hourly_rates r WHERE NOT EXISTS (SELECT FROM public.engineers e WHERE e.id = r.engineer_id);
ALTER TABLE public.hourly_rates
    DROP CONSTRAINT IF EXISTS hourly_rates_engineer_id_fkey,
    ADD CONSTRAINT hourly_rates_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers (id)
        ON DELETE CASCADE;
-- next
-- A key belongs to a ticket event or to an hourly rate.
ALTER TABLE public.idempotency_keys
    ADD COLUMN IF NOT EXISTS hourly_rate_id bigint,
    ALTER COLUMN event_id DROP NOT NULL,
    DROP CONSTRAINT IF EXISTS idempotency_keys_hourly_rate_id_fkey,
    ADD CONSTRAINT idempotency_keys_hourly_rate_id_fkey FOREIGN KEY (hourly_rate_id)
        REFERENCES public.hourly_rates (id) ON DELETE CASCADE,
    DROP CONSTRAINT IF EXISTS idempotency_keys_of_one_change,
    ADD CONSTRAINT idempotency_keys_of_one_change CHECK (num_nonnulls(event_id, hourly_rate_id) = 1);
