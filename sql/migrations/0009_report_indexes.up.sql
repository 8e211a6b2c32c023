-- migrate: no-transaction, works with 0.1
-- 0009 up: indexes for reports: by the time an assignment was created, by the time it ended, by customer.

-- The history is in schema baton before 0006_contract, and in public after it.
SET search_path = baton, public;
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_given ON engineer_assignments (assigned_at);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_ended
    ON engineer_assignments ((coalesce(completed_at, rejected_at)));
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS service_tickets_customer ON service_tickets (customer_name, created_at DESC);
-- next
-- The planner has no statistics for the indexed expression before this.
ANALYZE engineer_assignments;
-- next
RESET search_path;
