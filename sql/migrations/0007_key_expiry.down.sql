-- migrate: no-transaction
-- 0007 down: the index goes; nobody waits.
DROP INDEX CONCURRENTLY IF EXISTS public.idempotency_keys_created_at;
