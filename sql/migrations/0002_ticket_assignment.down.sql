-- 0002 down: only the old tables remain in use. The history is kept complete in schema baton_kept, and restored by
-- the next up; docs/migration.md says how to delete it for good.

-- Drops only what the up file adds.
-- squawk-ignore-file ban-drop-view, ban-drop-constraint, ban-set-schema, renaming-object
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
LOCK TABLE engineers, equipment IN SHARE ROW EXCLUSIVE MODE NOWAIT;

DROP VIEW service_tickets_compat;
DROP VIEW baton.current_ticket_assignments;
ALTER TABLE assignment_events DROP CONSTRAINT assignment_events_ticket_id_fkey;
ALTER TABLE baton.engineer_assignments
    DROP CONSTRAINT engineer_assignments_equipment_id_fkey,
    DROP CONSTRAINT engineer_assignments_engineer_id_fkey,
    DROP CONSTRAINT engineer_assignments_ticket_id_fkey;
ALTER TABLE idempotency_keys SET SCHEMA baton;
ALTER TABLE assignment_events SET SCHEMA baton;
ALTER FUNCTION app_now() SET SCHEMA baton;
ALTER FUNCTION keep_ended_assignment() SET SCHEMA baton;
ALTER SCHEMA baton RENAME TO baton_kept;
