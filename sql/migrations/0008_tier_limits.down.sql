-- migrate: no-transaction
-- 0008 down: the limits and the tiers of engineers are kept in schema baton, and restored by the next up.

-- Each statement is safe to run twice.
-- squawk-ignore-file ban-drop-constraint, ban-set-schema, prefer-robust-stmts
SET search_path = baton, public;
-- next
DROP INDEX CONCURRENTLY IF EXISTS engineer_assignments_unaccepted;
-- next
RESET search_path;
-- next
CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';
ALTER TABLE IF EXISTS public.engineer_tiers DROP CONSTRAINT IF EXISTS engineer_tiers_engineer_id_fkey;
ALTER TABLE IF EXISTS public.engineer_tiers SET SCHEMA baton;
ALTER TABLE IF EXISTS public.assignment_tiers SET SCHEMA baton;
