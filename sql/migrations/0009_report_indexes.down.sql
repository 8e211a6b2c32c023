-- migrate: no-transaction
-- 0009 down: drops the indexes without blocking writes.
SET search_path = baton, public;
-- next
DROP INDEX CONCURRENTLY IF EXISTS service_tickets_customer;
-- next
DROP INDEX CONCURRENTLY IF EXISTS engineer_assignments_ended;
-- next
DROP INDEX CONCURRENTLY IF EXISTS engineer_assignments_given;
-- next
RESET search_path;
