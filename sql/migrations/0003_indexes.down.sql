-- migrate: no-transaction
-- 0003 down: drops the indexes without blocking writes.
DROP INDEX CONCURRENTLY IF EXISTS engineers_by_name;
-- next
DROP INDEX CONCURRENTLY IF EXISTS service_tickets_search;
-- next
DROP INDEX CONCURRENTLY IF EXISTS service_tickets_status_newest;
-- next
DROP INDEX CONCURRENTLY IF EXISTS service_tickets_newest;
-- next
DROP INDEX CONCURRENTLY IF EXISTS public.engineer_assignments_ticket_as_text;
