-- migrate: no-transaction
-- 0012 up: what an hour of an engineer costs, and from when on. Rows are only added: a second one for the same moment
-- corrects the first, and both tell who set them. Until there are any, hours have no price, and reports say so.

-- The tables are small, and each part is safe to run twice.
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
COMMENT ON TABLE public.hourly_rates IS 'What an hour of an engineer costs from a moment on. Append only: of two rows for one moment, the later one holds.';
CREATE INDEX IF NOT EXISTS hourly_rates_of_engineer ON public.hourly_rates (engineer_id, valid_from DESC, id DESC);
-- next
-- The old application deletes whom it likes. Who has assignments stays, so no rate goes that something was billed by.
DELETE FROM public.hourly_rates r WHERE NOT EXISTS (SELECT FROM public.engineers e WHERE e.id = r.engineer_id);
ALTER TABLE public.hourly_rates
    DROP CONSTRAINT IF EXISTS hourly_rates_engineer_id_fkey,
    ADD CONSTRAINT hourly_rates_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers (id)
        ON DELETE CASCADE;
-- next
-- A key has made a change of a ticket, or has set a rate.
ALTER TABLE public.idempotency_keys
    ADD COLUMN IF NOT EXISTS hourly_rate_id bigint,
    ALTER COLUMN event_id DROP NOT NULL,
    DROP CONSTRAINT IF EXISTS idempotency_keys_hourly_rate_id_fkey,
    ADD CONSTRAINT idempotency_keys_hourly_rate_id_fkey FOREIGN KEY (hourly_rate_id)
        REFERENCES public.hourly_rates (id) ON DELETE CASCADE,
    DROP CONSTRAINT IF EXISTS idempotency_keys_of_one_change,
    ADD CONSTRAINT idempotency_keys_of_one_change CHECK (num_nonnulls(event_id, hourly_rate_id) = 1);
