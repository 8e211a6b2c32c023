-- migrate: no-transaction, works with 0.1
-- 0003 up: indexes for the ticket and engineer lists and for the backfill, built without blocking writes.

-- Validating a valid constraint again has no effect.
-- squawk-ignore-file prefer-robust-stmts

ALTER TABLE baton.engineer_assignments
    VALIDATE CONSTRAINT engineer_assignments_ticket_id_fkey,
    VALIDATE CONSTRAINT engineer_assignments_engineer_id_fkey,
    VALIDATE CONSTRAINT engineer_assignments_equipment_id_fkey;
-- next
ALTER TABLE assignment_events VALIDATE CONSTRAINT assignment_events_ticket_id_fkey;
-- next
-- The backfill looks up a ticket's old rows by it, for any type of the column.
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_ticket_as_text
    ON public.engineer_assignments ((ticket_id::text));
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS service_tickets_newest ON service_tickets (created_at DESC, id DESC);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS service_tickets_status_newest
    ON service_tickets (status, created_at DESC, id DESC);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS service_tickets_search ON service_tickets USING gin (
    (ticket_number || ' ' || coalesce(customer_name, '') || ' ' || coalesce(issue_category, '')) gin_trgm_ops);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineers_by_name ON engineers (name, id);
