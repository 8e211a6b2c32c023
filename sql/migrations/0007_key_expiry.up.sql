-- migrate: no-transaction
-- 0007 up: old idempotency keys are found by their age, so that the server can forget them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idempotency_keys_created_at ON public.idempotency_keys (created_at);
