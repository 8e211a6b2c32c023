-- 0002 down: the old tables are as they always were; the history is kept aside, whole, in schema baton_kept.
-- When it will never be wanted again: DROP SCHEMA baton_kept CASCADE.

-- A way back takes away what its way there has made.
-- squawk-ignore-file ban-drop-view, ban-drop-constraint, ban-set-schema, renaming-object
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- The others are not waited for while the first is held; the migrator tries again.
LOCK TABLE engineers, equipment IN SHARE ROW EXCLUSIVE MODE NOWAIT;

DROP VIEW service_tickets_compat;
DROP VIEW current_ticket_assignments;
ALTER TABLE assignment_events DROP CONSTRAINT assignment_events_ticket_id_fkey;
ALTER TABLE baton.engineer_assignments
    DROP CONSTRAINT engineer_assignments_equipment_id_fkey,
    DROP CONSTRAINT engineer_assignments_engineer_id_fkey,
    DROP CONSTRAINT engineer_assignments_ticket_id_fkey;
ALTER TABLE idempotency_keys SET SCHEMA baton;
ALTER TABLE assignment_events SET SCHEMA baton;
ALTER SCHEMA baton RENAME TO baton_kept;
