-- 0010 down: the rates are kept in schema baton, with the idempotency keys that refer to them, and restored by the
-- next up.
-- squawk-ignore-file ban-drop-constraint, ban-set-schema
CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';
ALTER TABLE public.hourly_rates DROP CONSTRAINT IF EXISTS hourly_rates_engineer_id_fkey;
ALTER TABLE public.hourly_rates SET SCHEMA baton;
