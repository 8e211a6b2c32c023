-- migrate: no-transaction
-- 0006 down: restores the old table and the old columns, so that both applications can run again.
-- The four columns are now the last ones of the table; their types, defaults and values are restored.

DO $$
DECLARE definition record;
BEGIN
    -- If it is interrupted after its last statement, all but the schema was done.
    CREATE SCHEMA IF NOT EXISTS baton_legacy;
    COMMENT ON SCHEMA baton_legacy IS 'Baton: what migration 0006 replaced, for its down file.';
    IF to_regclass('baton_legacy.engineer_assignments') IS NULL THEN
        RETURN; -- done before an interruption, or the up file was interrupted before it moved the table
    END IF;
    LOCK TABLE service_tickets IN ACCESS EXCLUSIVE MODE;
    -- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
    LOCK TABLE public.engineer_assignments, baton_legacy.engineer_assignments IN ACCESS EXCLUSIVE MODE NOWAIT;
    ALTER TABLE public.engineer_assignments SET SCHEMA baton;
    ALTER TABLE baton_legacy.engineer_assignments SET SCHEMA public;
    FOR definition IN SELECT * FROM baton_legacy.old_definitions LOOP
        EXECUTE format('ALTER TABLE service_tickets ADD COLUMN %I %s %s %s', definition.name, definition.type,
            'DEFAULT ' || definition.default_value, CASE WHEN definition.not_null THEN 'NOT NULL' END);
        EXECUTE format('COMMENT ON COLUMN service_tickets.%I IS %L', definition.name,
            'DEPRECATED: Use engineer_assignments table. Will be removed in next release.');
    END LOOP;
    CREATE TRIGGER old_columns_follow_new AFTER INSERT ON baton.engineer_assignments
        FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NEW.origin = 'live') EXECUTE FUNCTION baton.tell_old_columns();
    CREATE TRIGGER old_columns_follow_change AFTER UPDATE ON baton.engineer_assignments
        FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND OLD.status IS DISTINCT FROM NEW.status)
        EXECUTE FUNCTION baton.tell_old_columns();
END $$;
-- next
-- Marks tickets that were created after the up as migrated. Those with a history keep it. The caller holds the locks
-- of the tickets.
CREATE OR REPLACE FUNCTION baton_legacy.account_for(tickets varchar(64)[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO assignment_migration
    SELECT t.id,
        CASE WHEN btrim(coalesce(t.assigned_engineer_id::text, '')) = '' THEN 'no_engineer' ELSE 'already_there' END,
        baton.old_columns(to_jsonb(t))
    FROM service_tickets t
    WHERE t.id = ANY (tickets)
      AND EXISTS (SELECT FROM baton.engineer_assignments a WHERE a.ticket_id = t.id)
    ON CONFLICT DO NOTHING;
    PERFORM baton.take_over(ARRAY(SELECT to_jsonb(t) FROM service_tickets t WHERE t.id = ANY (tickets)));
END $$;
-- next
CREATE OR REPLACE PROCEDURE baton_legacy.restore_old_columns(batch int DEFAULT 500) LANGUAGE plpgsql AS $$
DECLARE
    reached varchar(64) := '';
    tickets varchar(64)[];
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'service_tickets'::regclass AND tgname = 'history_follows_ticket') THEN
        RETURN; -- the old columns are in use
    END IF;
    LOOP
        tickets := ARRAY(SELECT t.id FROM service_tickets t WHERE t.id > reached ORDER BY t.id LIMIT batch);
        EXIT WHEN cardinality(tickets) = 0;
        UPDATE service_tickets t
        SET (assigned_engineer_id, assigned_engineer_name, assignment_tier, assignment_tier_name) = (
            SELECT r.assigned_engineer_id, r.assigned_engineer_name, r.assignment_tier, r.assignment_tier_name
            FROM jsonb_populate_record(t, restored.columns) AS r)
        FROM (
            SELECT c.id, CASE
                WHEN (o.last_sequence, o.last_status) IS NOT DISTINCT FROM (last.assignment_sequence, last.status)
                    AND o.id IS NOT NULL THEN to_jsonb(o)
                ELSE jsonb_strip_nulls(to_jsonb(c)) END AS columns
            FROM service_tickets_compat c
            LEFT JOIN baton_legacy.old_columns o ON o.id = c.id
            LEFT JOIN LATERAL (
                SELECT a.assignment_sequence, a.status FROM baton.engineer_assignments a
                WHERE a.ticket_id = c.id
                ORDER BY a.status IN ('assigned', 'accepted', 'in_progress') DESC, a.assignment_sequence DESC
                LIMIT 1
            ) AS last ON true
            WHERE c.id = ANY (tickets)
        ) AS restored
        WHERE t.id = restored.id;
        PERFORM baton_legacy.account_for(tickets);
        COMMIT;
        reached := tickets[cardinality(tickets)];
    END LOOP;
END $$;
-- next
CALL baton_legacy.restore_old_columns();
-- next
DO $$
BEGIN
    LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE public.engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;
    CREATE OR REPLACE TRIGGER history_follows_ticket AFTER INSERT OR UPDATE ON service_tickets
        FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION baton.follow_ticket();
    CREATE OR REPLACE TRIGGER history_follows_old_assignment AFTER INSERT OR UPDATE OR DELETE ON public.engineer_assignments
        FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION baton.follow_old_assignment();
    -- Tickets that were created while the others were restored.
    PERFORM baton_legacy.account_for(ARRAY(
        SELECT t.id FROM service_tickets t
        WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = t.id)));
    DROP FUNCTION baton_legacy.account_for(varchar(64)[]);
    DROP PROCEDURE baton_legacy.restore_old_columns(int);
    DROP TABLE IF EXISTS baton_legacy.old_columns, baton_legacy.old_definitions;
    DROP SCHEMA baton_legacy;
END $$;
