-- 0004 down: the old tables are no longer synchronised, and the old columns get their previous comments back.

-- Drops only what the up file adds.
-- squawk-ignore-file ban-drop-table, ban-drop-function, ban-set-schema
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for this one while holding the first lock; the migrator retries.
LOCK TABLE public.engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;

DROP TRIGGER history_follows_ticket ON service_tickets;
DROP TRIGGER history_follows_old_assignment ON public.engineer_assignments;
DROP TRIGGER old_columns_follow_new ON baton.engineer_assignments;
DROP TRIGGER old_columns_follow_change ON baton.engineer_assignments;

DO $$
DECLARE saved record;
BEGIN
    FOR saved IN SELECT c.key, c.value FROM assignment_migration_state s, jsonb_each_text(s.comments) AS c LOOP
        EXECUTE format('COMMENT ON COLUMN service_tickets.%I IS %L', saved.key, saved.value);
    END LOOP;
END $$;

DROP TABLE assignment_migration_state;
ALTER TABLE assignment_migration SET SCHEMA baton;
ALTER TABLE assignment_migration_issues SET SCHEMA baton;

DROP FUNCTION assignment_migration_report();
DROP PROCEDURE baton.backfill(int, float8);
DROP FUNCTION baton.migrate_tickets(varchar[]);
DROP FUNCTION baton.catch_up(jsonb);
DROP FUNCTION baton.write_old_columns();
DROP FUNCTION baton.sync_old_assignment();
DROP FUNCTION baton.sync_ticket();
DROP FUNCTION baton.quarantine_ticket(text, varchar);
DROP FUNCTION baton.quarantine(text, jsonb, text, uuid);
DROP FUNCTION baton.is_syncing();
DROP FUNCTION baton.sync_row(jsonb, jsonb, boolean);
DROP FUNCTION baton.is_recorded(uuid, baton.engineer_assignments, jsonb);
DROP FUNCTION baton.reconcile(jsonb, boolean);
DROP FUNCTION baton.end_assignment(baton.engineer_assignments, text, timestamptz, text);
DROP FUNCTION baton.copy_tickets(jsonb[], boolean);
DROP FUNCTION baton.old_ids(text);
DROP FUNCTION baton.closed(baton.engineer_assignments, jsonb);
DROP FUNCTION baton.record_unreadable_values(text, jsonb, text, uuid);
DROP FUNCTION baton.record_issue(text, text, jsonb, text, uuid, text);
DROP FUNCTION baton.from_old_columns(jsonb);
DROP FUNCTION baton.from_old_row(jsonb, jsonb);
DROP FUNCTION baton.ended_at(jsonb);
DROP FUNCTION baton.reported_at(jsonb);
DROP FUNCTION baton.ended(text);
DROP FUNCTION baton.tier_name(int, text);
DROP FUNCTION baton.tier(text);
DROP FUNCTION baton.old_id_of(regclass);
DROP FUNCTION baton.old_id(text, jsonb);
DROP FUNCTION baton.known_engineer(text);
DROP FUNCTION baton.as_uuid(text);
DROP FUNCTION baton.assignment_columns(jsonb);
DROP FUNCTION baton.old_columns(jsonb);
DROP FUNCTION baton.unreadable_columns(text, jsonb);
DROP FUNCTION baton.readable(jsonb, text[]);
DROP FUNCTION baton.unreadable(text, jsonb, boolean);
DROP FUNCTION baton.is_readable(text, jsonb, boolean);
DROP FUNCTION baton.readable_parts(jsonb);
DROP FUNCTION baton.has_unreadable_part(jsonb);
DROP FUNCTION baton.as_parts(jsonb);
DROP FUNCTION baton.parsed(text);
DROP FUNCTION baton.is_time(text);
DROP FUNCTION baton.as_json(anyelement);
