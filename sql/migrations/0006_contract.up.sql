-- migrate: on request, no-transaction, works with 0.1
-- 0006 up: the old application is no longer used. The history replaces the old table, and the old columns are dropped.
--
-- The schemas baton_legacy and baton keep what the down file needs; docs/migration.md says how to delete it for good.

-- Breaks the old application, which is its purpose, so it runs on request only.
-- squawk-ignore-file ban-set-schema, ban-drop-column

DO $$
DECLARE wrong text;
BEGIN
    IF to_regclass('baton.engineer_assignments') IS NULL THEN
        RETURN; -- done before an interruption
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'service_tickets'::regclass AND tgname = 'history_follows_ticket') THEN
        RETURN; -- the down file was interrupted: baton_legacy is complete, and the old columns are not
    END IF;
    SELECT string_agg(format('%s: %s, not %s', item, counted, expected), '; ') INTO wrong
    FROM assignment_migration_report() WHERE counted <> expected;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'python -m app migrate verify finds: %', wrong;
    END IF;

    -- Copied before taking any lock, so that the lock is short. If the new application changes a ticket meanwhile,
    -- its last assignment differs from the one recorded here, and the down file uses the history instead.
    -- An interrupted attempt may have left the schema and its copies; the migrator has checked that they are ours.
    CREATE SCHEMA IF NOT EXISTS baton_legacy;
    COMMENT ON SCHEMA baton_legacy IS 'Baton: what migration 0006 replaced, for its down file.';
    DROP TABLE IF EXISTS baton_legacy.old_columns, baton_legacy.old_definitions;
    CREATE TABLE baton_legacy.old_columns AS
    SELECT t.id, t.assigned_engineer_id, t.assigned_engineer_name, t.assignment_tier, t.assignment_tier_name,
        last.assignment_sequence AS last_sequence, last.status AS last_status
    FROM service_tickets t
    LEFT JOIN LATERAL (
        SELECT a.assignment_sequence, a.status FROM baton.engineer_assignments a
        WHERE a.ticket_id = t.id
        ORDER BY a.status IN ('assigned', 'accepted', 'in_progress') DESC, a.assignment_sequence DESC
        LIMIT 1
    ) AS last ON true;
    ALTER TABLE baton_legacy.old_columns ADD PRIMARY KEY (id);
    CREATE TABLE baton_legacy.old_definitions AS
    SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
        pg_get_expr(d.adbin, d.adrelid) AS default_value, a.attnotnull AS not_null
    FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = 'service_tickets'::regclass
      AND a.attname IN ('assigned_engineer_id', 'assigned_engineer_name', 'assignment_tier', 'assignment_tier_name');
END $$;
-- next
DO $$
BEGIN
    IF to_regclass('baton.engineer_assignments') IS NULL THEN
        RETURN;
    END IF;
    LOCK TABLE service_tickets IN ACCESS EXCLUSIVE MODE;
    -- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
    LOCK TABLE public.engineer_assignments, baton.engineer_assignments IN ACCESS EXCLUSIVE MODE NOWAIT;
    DROP TRIGGER IF EXISTS history_follows_ticket ON service_tickets;
    DROP TRIGGER IF EXISTS history_follows_old_assignment ON public.engineer_assignments;
    DROP TRIGGER old_columns_follow_new ON baton.engineer_assignments;
    DROP TRIGGER old_columns_follow_change ON baton.engineer_assignments;
    DROP FUNCTION IF EXISTS baton_legacy.account_for(varchar(64)[]);
    DROP PROCEDURE IF EXISTS baton_legacy.restore_old_columns(int);
    ALTER TABLE public.engineer_assignments SET SCHEMA baton_legacy;
    ALTER TABLE baton.engineer_assignments SET SCHEMA public;
    ALTER TABLE service_tickets
        DROP COLUMN assigned_engineer_id,
        DROP COLUMN assigned_engineer_name,
        DROP COLUMN assignment_tier,
        DROP COLUMN assignment_tier_name;
END $$;
