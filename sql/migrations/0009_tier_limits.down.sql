-- migrate: no-transaction
-- 0009 down: what was set is kept aside in schema baton, for the next time.

-- Each part is safe to run twice.
-- squawk-ignore-file ban-drop-constraint, ban-set-schema, prefer-robust-stmts
SET search_path = baton, public;
-- next
DROP INDEX CONCURRENTLY IF EXISTS engineer_assignments_unaccepted;
-- next
RESET search_path;
-- next
CREATE SCHEMA IF NOT EXISTS baton;
ALTER TABLE IF EXISTS public.engineer_tiers DROP CONSTRAINT IF EXISTS engineer_tiers_engineer_id_fkey;
ALTER TABLE IF EXISTS public.engineer_tiers SET SCHEMA baton;
ALTER TABLE IF EXISTS public.assignment_tiers SET SCHEMA baton;
