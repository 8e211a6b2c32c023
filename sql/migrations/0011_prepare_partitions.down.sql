-- migrate: no-transaction
-- 0011 down: removes what prepares the tables for partitioning. The day of each key stays: the new application writes
-- it until the migration down has undone the contract.

-- Drops only what the up file adds.
-- squawk-ignore-file ban-drop-constraint, prefer-robust-stmts
ALTER TABLE public.assignment_events DROP CONSTRAINT IF EXISTS assignment_events_before;
ALTER TABLE public.idempotency_keys DROP CONSTRAINT IF EXISTS idempotency_keys_before;
-- next
DO $$
DECLARE unvalidated record;
BEGIN
    FOR unvalidated IN SELECT c.conname FROM pg_constraint c
        WHERE c.conrelid = 'public.idempotency_keys'::regclass AND NOT c.convalidated
    LOOP
        EXECUTE format('ALTER TABLE public.idempotency_keys VALIDATE CONSTRAINT %I', unvalidated.conname);
    END LOOP;
END $$;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.assignment_events_before_pkey;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.assignment_events_before_id;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.idempotency_keys_before_pkey;
