-- migrate: no-transaction
-- 0011 up: what reports look rows up by: when an assignment was given, when it ended, whose equipment a ticket is about.

-- The history lies in schema baton before the contract, and in public after it.
SET search_path = baton, public;
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_given ON engineer_assignments (assigned_at);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_ended
    ON engineer_assignments ((coalesce(completed_at, rejected_at)));
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS service_tickets_customer ON service_tickets (customer_name, created_at DESC);
-- next
-- How many end in a period is known of an index on an expression only after this.
ANALYZE engineer_assignments;
-- next
RESET search_path;
