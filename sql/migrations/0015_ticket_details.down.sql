-- migrate: no-transaction
-- 0015 down: the tables are kept in schema baton, and restored by the next up. Tickets that were created stay, without
-- what only these tables have.

-- Each statement is safe to run twice.
-- squawk-ignore-file ban-set-schema, prefer-robust-stmts
CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';
ALTER TABLE IF EXISTS public.ticket_details SET SCHEMA baton;
ALTER TABLE IF EXISTS public.ticket_notes SET SCHEMA baton;
ALTER TABLE IF EXISTS public.ticket_external_ids SET SCHEMA baton;
ALTER SEQUENCE IF EXISTS public.ticket_numbers SET SCHEMA baton;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.service_tickets_by_number;
