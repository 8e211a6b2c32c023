-- 0002 down: the ticket row names its engineer again.
UPDATE service_tickets t
SET assigned_engineer_id = a.engineer_id::text,
    assigned_engineer_name = e.name,
    assignment_tier = a.assignment_tier,
    assignment_tier_name = a.assignment_tier_name,
    assigned_at = a.assigned_at
FROM engineer_assignments a
JOIN engineers e ON e.id = a.engineer_id
WHERE a.ticket_id = t.id AND a.origin = 'live'
  AND a.assignment_sequence = (
    SELECT max(latest.assignment_sequence) FROM engineer_assignments latest WHERE latest.ticket_id = t.id);

DROP VIEW current_ticket_assignments;
DROP TABLE idempotency_keys;
DROP TABLE assignment_events;
DROP TRIGGER ended_assignment_is_kept ON engineer_assignments;
DROP FUNCTION keep_ended_assignment();
DROP INDEX engineers_by_name, service_tickets_search, service_tickets_status_newest, service_tickets_newest,
    engineer_assignments_engineer, engineer_assignments_tier_active, engineer_assignments_engineer_active,
    engineer_assignments_one_active;
DELETE FROM engineer_assignments WHERE origin = 'backfill';
ALTER TABLE engineer_assignments
    DROP CONSTRAINT chk_status_has_its_facts,
    DROP CONSTRAINT chk_origin,
    DROP CONSTRAINT chk_parts_used,
    DROP CONSTRAINT chk_time_spent_hours,
    DROP CONSTRAINT chk_completion_status,
    DROP CONSTRAINT chk_status,
    DROP CONSTRAINT chk_assignment_type,
    DROP CONSTRAINT chk_assignment_tier,
    DROP CONSTRAINT chk_assignment_sequence,
    DROP CONSTRAINT engineer_assignments_sequence_once,
    ALTER COLUMN updated_at DROP NOT NULL,
    ALTER COLUMN created_at DROP NOT NULL,
    ALTER COLUMN assigned_at DROP NOT NULL,
    ALTER COLUMN status DROP NOT NULL,
    ALTER COLUMN assignment_type DROP NOT NULL,
    ALTER COLUMN assignment_tier_name DROP NOT NULL,
    ALTER COLUMN assignment_tier DROP NOT NULL,
    DROP COLUMN origin,
    DROP COLUMN notes,
    DROP COLUMN time_spent_hours,
    DROP COLUMN completion_status,
    DROP COLUMN cancellation_reason,
    DROP COLUMN escalation_reason,
    DROP COLUMN rejection_reason,
    DROP COLUMN assignment_reason,
    DROP COLUMN assignment_sequence;
DROP FUNCTION app_now();
COMMENT ON TABLE engineer_assignments IS NULL;
COMMENT ON COLUMN engineer_assignments.completed_at IS NULL;
COMMENT ON COLUMN service_tickets.assigned_engineer_id IS NULL;
COMMENT ON COLUMN service_tickets.assigned_engineer_name IS NULL;
COMMENT ON COLUMN service_tickets.assignment_tier IS NULL;
COMMENT ON COLUMN service_tickets.assignment_tier_name IS NULL;
