-- migrate: no-transaction
-- 0006 down: restores the old table and the old columns, so that both applications can run again.
-- The four columns are now the last ones of the table. Their definitions and values are as before, and so is what stood
-- on them: indexes, constraints, statistics, grants and comments. No trigger of the customer fires.

-- Empty if everything was done before an interruption.
CREATE SCHEMA IF NOT EXISTS baton_legacy;
COMMENT ON SCHEMA baton_legacy IS 'Baton: what migration 0006 replaced, for its down file.';
CREATE TABLE IF NOT EXISTS baton_legacy.old_definitions (position int, kind text, name text, after_values boolean, statement text);

-- With 'replica', no trigger and no rule fires that is enabled as usual, until 'origin' or the end of the transaction.
-- False if the role may not set that.
CREATE OR REPLACE FUNCTION baton_legacy.set_replication_role(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('session_replication_role', value, true);
    RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
    RETURN false;
END $$;

DO $$
DECLARE
    firing text;
    definition record;
BEGIN
    IF to_regclass('baton_legacy.engineer_assignments') IS NULL THEN
        IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'service_tickets'::regclass AND attname = 'assigned_engineer_id') THEN
            RAISE EXCEPTION 'The old table and columns were deleted for good, so they cannot be restored';
        END IF;
        RETURN; -- done before an interruption, or the up file was interrupted before it moved the table
    END IF;
    SELECT string_agg(f.name || CASE WHEN f.enabled = 'O' THEN '' ELSE ' (ENABLE ' || CASE f.enabled WHEN 'A' THEN 'ALWAYS)' ELSE 'REPLICA)' END END,
        ', ' ORDER BY f.name) INTO firing
    FROM (
        SELECT format('trigger %I', t.tgname), t.tgenabled FROM pg_trigger t
        WHERE t.tgrelid = 'service_tickets'::regclass AND NOT t.tgisinternal AND t.tgtype & 16 <> 0 -- on update
        UNION ALL
        SELECT format('rule %I', r.rulename), r.ev_enabled FROM pg_rewrite r
        WHERE r.ev_class = 'service_tickets'::regclass AND r.ev_type = '2' -- on update
    ) AS f (name, enabled)
    WHERE CASE WHEN baton_legacy.set_replication_role('replica') THEN f.enabled IN ('A', 'R') ELSE f.enabled IN ('O', 'A') END;
    IF firing IS NOT NULL THEN
        RAISE EXCEPTION 'To restore the old columns would fire % of service_tickets. %', firing,
            CASE WHEN baton_legacy.set_replication_role('replica') THEN 'Enable it with ALTER TABLE … ENABLE, without ALWAYS or REPLICA, and run this again'
            ELSE format('Run this as a superuser, or after GRANT SET ON PARAMETER session_replication_role TO %I', current_user) END;
    END IF;
    PERFORM baton_legacy.set_replication_role('origin');
    LOCK TABLE service_tickets IN ACCESS EXCLUSIVE MODE;
    -- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
    LOCK TABLE public.engineer_assignments, baton_legacy.engineer_assignments IN ACCESS EXCLUSIVE MODE NOWAIT;
    ALTER TABLE public.engineer_assignments SET SCHEMA baton;
    ALTER VIEW public.current_ticket_assignments SET SCHEMA baton;
    IF to_regclass('baton_legacy.current_ticket_assignments') IS NOT NULL THEN
        ALTER VIEW baton_legacy.current_ticket_assignments SET SCHEMA public;
    END IF;
    ALTER TABLE baton_legacy.engineer_assignments SET SCHEMA public;
    FOR definition IN
        SELECT d.statement FROM baton_legacy.old_definitions d
        WHERE NOT d.after_values AND (d.kind <> 'grant' OR d.name = 'PUBLIC' OR to_regrole(d.name) IS NOT NULL)
        ORDER BY d.position
    LOOP
        EXECUTE definition.statement;
    END LOOP;
    CREATE TRIGGER old_columns_follow_new AFTER INSERT ON baton.engineer_assignments
        FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NEW.origin = 'live') EXECUTE FUNCTION baton.write_old_columns();
    CREATE TRIGGER old_columns_follow_change AFTER UPDATE ON baton.engineer_assignments
        FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND OLD.status IS DISTINCT FROM NEW.status)
        EXECUTE FUNCTION baton.write_old_columns();
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
    PERFORM baton.copy_tickets(ARRAY(SELECT to_jsonb(t) FROM service_tickets t WHERE t.id = ANY (tickets)));
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
        tickets := ARRAY(SELECT t.id FROM service_tickets t WHERE t.id > reached ORDER BY t.id LIMIT batch FOR NO KEY UPDATE);
        EXIT WHEN cardinality(tickets) = 0;
        PERFORM baton_legacy.set_replication_role('replica');
        UPDATE service_tickets t
        SET (assigned_engineer_id, assigned_engineer_name, assignment_tier, assignment_tier_name, assigned_at) = (
            SELECT r.assigned_engineer_id, r.assigned_engineer_name, r.assignment_tier, r.assignment_tier_name, r.assigned_at
            FROM jsonb_populate_record(t, coalesce(s.written, v.columns)) AS r)
        FROM baton_legacy.restored(tickets) AS v
        LEFT JOIN baton.set_aside_columns s ON s.ticket_id = v.id AND s.wanted = v.columns
        WHERE v.id = t.id;
        -- So that the next up does not take what was written instead for a change by the old application.
        UPDATE assignment_migration m
        SET old_columns = baton.old_columns(to_jsonb(t)),
            outcome = CASE WHEN btrim(coalesce(t.assigned_engineer_id::text, '')) = '' THEN 'no_engineer'
                WHEN m.outcome = 'no_engineer' THEN 'already_there' ELSE m.outcome END
        FROM service_tickets t JOIN baton.set_aside_columns s ON s.ticket_id = t.id
        WHERE m.ticket_id = t.id AND t.id = ANY (tickets);
        PERFORM baton_legacy.set_replication_role('origin');
        PERFORM baton_legacy.account_for(tickets);
        COMMIT;
        reached := tickets[cardinality(tickets)];
    END LOOP;
END $$;
-- next
CALL baton_legacy.restore_old_columns();
-- next: run the result
-- What stood on the columns, in steps that do not block writes. Each is safe to run twice, or left out.
SELECT format('DROP INDEX CONCURRENTLY public.%I', c.relname)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN baton_legacy.old_definitions d ON d.kind = 'index' AND d.name = c.relname
WHERE i.indrelid = 'public.service_tickets'::regclass AND NOT i.indisvalid
UNION ALL
(SELECT d.statement FROM baton_legacy.old_definitions d
WHERE d.after_values AND (d.statement NOT LIKE '% ADD CONSTRAINT %' OR NOT EXISTS (
    SELECT FROM pg_constraint c WHERE c.conrelid = 'public.service_tickets'::regclass AND c.conname = d.name))
ORDER BY d.position);
-- next
DO $$
BEGIN
    LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE public.engineer_assignments IN SHARE ROW EXCLUSIVE MODE NOWAIT;
    CREATE OR REPLACE TRIGGER history_follows_ticket AFTER INSERT OR UPDATE ON service_tickets
        FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION baton.sync_ticket();
    CREATE OR REPLACE TRIGGER history_follows_old_assignment AFTER INSERT OR UPDATE OR DELETE ON public.engineer_assignments
        FOR EACH ROW EXECUTE FUNCTION baton.sync_old_assignment();
    -- Tickets that were created while the others were restored.
    PERFORM baton_legacy.account_for(ARRAY(
        SELECT t.id FROM service_tickets t
        WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = t.id)));
    DROP FUNCTION baton_legacy.set_replication_role(text);
    DROP FUNCTION IF EXISTS baton_legacy.restored(varchar(64)[]);
    DROP FUNCTION baton_legacy.account_for(varchar(64)[]);
    DROP PROCEDURE baton_legacy.restore_old_columns(int);
    DROP TABLE IF EXISTS baton_legacy.old_columns, baton_legacy.old_definitions;
    DROP SCHEMA baton_legacy;
    IF to_regclass('baton.set_aside_columns') IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM baton.set_aside_columns) THEN
            DROP TABLE baton.set_aside_columns;
        END IF;
    END IF;
END $$;
