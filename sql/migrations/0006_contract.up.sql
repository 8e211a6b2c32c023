-- migrate: on request, no-transaction, works with 0.1
-- 0006 up: the old application is no longer used. The history replaces the old table, and the old columns are dropped.
--
-- The schemas baton_legacy and baton keep what the down file needs: the values of the old columns, and the statements
-- that define them and what stands on them. docs/migration.md says how to delete it for good.

-- Breaks the old application, which is its purpose, so it runs on request only.
-- squawk-ignore-file ban-set-schema, ban-drop-column, ban-drop-table

DO $$
DECLARE
    tickets regclass := 'public.service_tickets';
    old_names text[] := ARRAY['assigned_engineer_id', 'assigned_engineer_name', 'assignment_tier', 'assignment_tier_name'];
    usual_path text := current_setting('search_path');
    wrong text;
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

    -- An interrupted attempt may have left the schema and its copies; the migrator has checked that they are ours.
    CREATE SCHEMA IF NOT EXISTS baton_legacy;
    COMMENT ON SCHEMA baton_legacy IS 'Baton: what migration 0006 replaced, for its down file.';
    DROP TABLE IF EXISTS baton_legacy.old_columns, baton_legacy.old_definitions;
    CREATE TABLE baton_legacy.old_definitions (
        position int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        name text NOT NULL,
        after_values boolean NOT NULL,
        statement text
    );
    COMMENT ON TABLE baton_legacy.old_definitions IS
    'Baton: the statements that restore the old columns and what stands on them; null if there is none.';
    -- So that definitions contain qualified names.
    PERFORM set_config('search_path', 'pg_catalog', true);

    INSERT INTO baton_legacy.old_definitions (kind, name, after_values, statement)
    SELECT 'column', a.attname, false, format('ALTER TABLE %s ', tickets) || d.clause
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef v ON v.adrelid = a.attrelid AND v.adnum = a.attnum
    CROSS JOIN quote_ident(a.attname) AS name
    CROSS JOIN LATERAL (VALUES
        (1, 'ADD COLUMN ' || name || ' ' || format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END),
        -- Not a part of ADD COLUMN, which would rewrite the table if the value is not constant.
        (2, 'ALTER COLUMN ' || name || ' SET DEFAULT ' || pg_get_expr(v.adbin, v.adrelid)),
        (3, 'ALTER COLUMN ' || name || ' SET STORAGE ' || CASE WHEN a.attstorage <> t.typstorage THEN
            CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
        (4, 'ALTER COLUMN ' || name || ' SET COMPRESSION ' || CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END),
        (5, 'ALTER COLUMN ' || name || ' SET STATISTICS ' || nullif(a.attstattarget::int, -1)),
        -- Some servers store options of their own beside n_distinct and n_distinct_inherited.
        (6, 'ALTER COLUMN ' || name || ' SET ('
            || (SELECT string_agg(o, ', ') FROM unnest(a.attoptions) AS o WHERE o LIKE 'n\_distinct%') || ')')
    ) AS d (n, clause)
    WHERE a.attrelid = tickets AND a.attname = ANY (old_names) AND d.clause IS NOT NULL
    ORDER BY a.attnum, d.n;

    INSERT INTO baton_legacy.old_definitions (kind, name, after_values, statement)
    SELECT 'comment', a.attname::text, false,
        format('COMMENT ON COLUMN %s.%I IS %L', tickets, a.attname, col_description(a.attrelid, a.attnum))
    FROM pg_attribute a
    WHERE a.attrelid = tickets AND a.attname = ANY (old_names) AND col_description(a.attrelid, a.attnum) IS NOT NULL
    UNION ALL
    -- Only the owner's grants: the role that migrates cannot grant for another.
    SELECT 'grant', CASE g.grantor WHEN c.relowner THEN g.role
            ELSE format('grant of %s by %s on column %s', g.privilege_type, g.grantor::regrole, a.attname) END, false,
        CASE g.grantor WHEN c.relowner THEN format('GRANT %s (%I) ON %s TO %s', g.privilege_type, a.attname, tickets, g.role)
            || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END END
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    CROSS JOIN LATERAL (
        SELECT e.*, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END AS role FROM aclexplode(a.attacl) AS e
    ) AS g
    WHERE a.attrelid = tickets AND a.attname = ANY (old_names)
    UNION ALL
    SELECT 'not null', a.attname::text, true, format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', tickets, a.attname)
    FROM pg_attribute a
    -- From PostgreSQL 18 on it is a constraint with a name.
    WHERE a.attrelid = tickets AND a.attname = ANY (old_names) AND a.attnotnull
      AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = tickets AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum]);

    -- What goes with the columns, and what uses them and therefore prevents dropping them.
    CREATE TABLE baton_legacy.dependents AS
    WITH RECURSIVE dependent AS (
        SELECT 'pg_class'::regclass::oid AS classid, a.attrelid AS objid, a.attnum::int AS objsubid, 'a'::"char" AS deptype
        FROM pg_attribute a WHERE a.attrelid = tickets AND a.attname = ANY (old_names)
        UNION
        SELECT d.classid, d.objid, d.objsubid, d.deptype
        FROM dependent r
        JOIN pg_depend d ON d.refclassid = r.classid AND d.refobjid = r.objid AND r.objsubid IN (0, d.refobjsubid)
        WHERE r.deptype <> 'n'
    )
    SELECT r.classid::regclass AS catalog, r.objid, r.objsubid, bool_and(r.deptype = 'n') AS prevents
    FROM dependent r GROUP BY 1, 2, 3;

    INSERT INTO baton_legacy.old_definitions (kind, name, after_values, statement)
    SELECT d.kind, d.name, true, d.statement
    FROM (
        SELECT 'statistics' AS kind, s.stxname::text AS name, s.oid, d.step, d.statement
        FROM baton_legacy.dependents r
        JOIN pg_statistic_ext s ON r.catalog = 'pg_statistic_ext'::regclass AND s.oid = r.objid
        CROSS JOIN format('%s.%I', s.stxnamespace::regnamespace, s.stxname) AS name
        CROSS JOIN LATERAL (VALUES
            (1, replace(pg_get_statisticsobjdef(s.oid), 'CREATE STATISTICS ', 'CREATE STATISTICS IF NOT EXISTS ')),
            (2, 'ALTER STATISTICS ' || name || ' SET STATISTICS ' || nullif(s.stxstattarget::int, -1)),
            (2, 'ALTER STATISTICS ' || name || ' OWNER TO ' || s.stxowner::regrole),
            (2, 'COMMENT ON STATISTICS ' || name || ' IS ' || quote_literal(obj_description(s.oid, 'pg_statistic_ext')))
        ) AS d (step, statement)
        UNION ALL
        -- The index of a constraint is built first, too, unless it can only be built with the constraint.
        SELECT 'index', x.relname, x.oid, d.step, d.statement
        FROM baton_legacy.dependents r
        JOIN pg_index i ON r.catalog = 'pg_class'::regclass AND i.indexrelid = r.objid AND i.indisvalid
        JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_attribute a ON a.attrelid = x.oid
        LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
        CROSS JOIN format('%s.%I', x.relnamespace::regnamespace, x.relname) AS name
        CROSS JOIN LATERAL (VALUES
            (1, CASE WHEN NOT i.indisexclusion THEN regexp_replace(pg_get_indexdef(x.oid), ' INDEX ', ' INDEX CONCURRENTLY IF NOT EXISTS ') END),
            (3, 'ALTER INDEX ' || name || ' SET TABLESPACE ' || quote_ident(s.spcname)),
            (3, 'ALTER INDEX ' || name || ' ALTER COLUMN ' || a.attnum || ' SET STATISTICS ' || nullif(a.attstattarget::int, -1)),
            (3, CASE WHEN i.indisclustered THEN format('ALTER TABLE %s CLUSTER ON %I', tickets, x.relname) END),
            (3, 'COMMENT ON INDEX ' || name || ' IS ' || quote_literal(obj_description(x.oid, 'pg_class')))
        ) AS d (step, statement)
        WHERE a.attnum = 1 OR d.statement LIKE '% ALTER COLUMN %'
        UNION ALL
        SELECT 'constraint', c.conname, c.oid, d.step, d.statement
        FROM baton_legacy.dependents r
        JOIN pg_constraint c ON r.catalog = 'pg_constraint'::regclass AND c.oid = r.objid
        LEFT JOIN pg_index i ON i.indexrelid = c.conindid AND c.contype = 'u' AND NOT i.indisexclusion
        CROSS JOIN LATERAL (VALUES
            (2, format('ALTER TABLE %s ADD CONSTRAINT %I ', tickets, c.conname) || CASE
                WHEN i.indexrelid IS NOT NULL THEN format('UNIQUE USING INDEX %I', c.conname)
                    || CASE WHEN c.condeferrable THEN ' DEFERRABLE' ELSE '' END
                    || CASE WHEN c.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
                -- Validated apart, without blocking writes.
                WHEN c.contype IN ('c', 'f', 'n') AND c.convalidated THEN pg_get_constraintdef(c.oid) || ' NOT VALID'
                ELSE pg_get_constraintdef(c.oid) END),
            (3, CASE WHEN c.contype IN ('c', 'f', 'n') AND c.convalidated
                THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', tickets, c.conname) END),
            (3, format('COMMENT ON CONSTRAINT %I ON %s IS ', c.conname, tickets) || quote_literal(obj_description(c.oid, 'pg_constraint')))
        ) AS d (step, statement)
    ) AS d
    WHERE d.statement IS NOT NULL
    ORDER BY d.step, d.kind DESC, d.oid;

    INSERT INTO baton_legacy.old_definitions (kind, name, after_values)
    SELECT 'prevents', regexp_replace(pg_describe_object(r.catalog, r.objid, r.objsubid), '^(rule "?_RETURN"? on|default value for) ', ''), false
    FROM baton_legacy.dependents r
    LEFT JOIN pg_class x ON r.catalog = 'pg_class'::regclass AND x.oid = r.objid
    LEFT JOIN pg_index i ON i.indexrelid = x.oid
    LEFT JOIN pg_attrdef v ON r.catalog = 'pg_attrdef'::regclass AND v.oid = r.objid
    LEFT JOIN pg_attribute a ON a.attrelid = tickets AND a.attnum = coalesce(v.adnum, CASE WHEN x.oid = tickets THEN r.objsubid END)
    LEFT JOIN pg_constraint c ON r.catalog = 'pg_constraint'::regclass AND c.oid = r.objid
    LEFT JOIN pg_trigger t ON r.catalog = 'pg_trigger'::regclass AND t.oid = r.objid
    WHERE r.prevents
       OR r.catalog <> 'pg_statistic_ext'::regclass
        AND NOT coalesce(i.indisreplident = false
            OR a.attname = ANY (old_names) AND a.attidentity = '' AND a.attgenerated = ''
            OR c.conrelid = tickets AND c.contype <> 'p'
            OR t.tgisinternal, false)
    UNION
    -- Functions are text, so that only their text can tell.
    SELECT 'prevents', format('trigger %I on %s, by the text of its function', t.tgname, t.tgrelid::regclass), false
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
    WHERE t.tgrelid = tickets AND NOT t.tgisinternal AND f.pronamespace <> 'baton'::regnamespace
      AND f.prosrc ~ format('\m(%s)\M', array_to_string(old_names, '|'))
    UNION
    SELECT 'prevents', format('inheritance of %s from %s', h.inhrelid::regclass, h.inhparent::regclass), false
    FROM pg_inherits h WHERE tickets IN (h.inhrelid, h.inhparent)
    ORDER BY 2;

    SELECT string_agg(d.name, ', ' ORDER BY d.position) INTO wrong FROM baton_legacy.old_definitions d WHERE d.statement IS NULL;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'The old columns of service_tickets stay, because these use them: %. Drop these, or let them read '
            'service_tickets_compat, and run this again', wrong;
    END IF;
    DROP TABLE baton_legacy.dependents;
    PERFORM set_config('search_path', usual_path, true);

    -- Copied before taking any lock, so that the lock is short. If the new application changes a ticket meanwhile,
    -- its last assignment differs from the one recorded here, and the down file uses the history instead.
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
END $$;
-- next
CREATE TABLE IF NOT EXISTS baton.set_aside_columns (
    ticket_id varchar(64) PRIMARY KEY,
    wanted jsonb NOT NULL,
    written jsonb NOT NULL,
    reason text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE baton.set_aside_columns IS 'Values of old columns that did not fit when migrate down --set-aside restored them.';
-- next
-- The values that the down file writes into the old columns of tickets. Those with other assignments than at the contract
-- get their engineer; as in dual write, if only the status of the last one differs, the columns are kept if they name the
-- same engineer and tier. Without an engineer they get the defaults, and text that must not be null is empty.
CREATE OR REPLACE FUNCTION baton_legacy.restored(tickets varchar(64)[]) RETURNS TABLE (id varchar(64), columns jsonb, without_engineer jsonb)
LANGUAGE plpgsql STABLE SET search_path = baton, public AS $$
DECLARE
    empty_columns text;
    empty jsonb;
BEGIN
    SELECT string_agg(format('%L, %s', c.name, coalesce(
        (SELECT substring(d.statement FROM ' SET DEFAULT (.*)$') FROM baton_legacy.old_definitions d
        WHERE d.name = c.name AND d.statement LIKE '% SET DEFAULT %'),
        CASE WHEN c.statement ~ ' (text|character varying)' AND EXISTS (
            SELECT FROM baton_legacy.old_definitions d
            WHERE (d.kind = 'not null' AND d.name = c.name) OR d.statement LIKE '% NOT NULL ' || c.name || '%')
        THEN quote_literal('') ELSE 'NULL' END)), ', ') INTO empty_columns
    FROM baton_legacy.old_definitions c WHERE c.kind = 'column' AND c.statement LIKE '% ADD COLUMN %';
    EXECUTE 'SELECT jsonb_build_object(' || empty_columns || ')' INTO empty;
    RETURN QUERY SELECT t.id::varchar(64), CASE
        WHEN o.id IS NOT NULL AND o.last_sequence IS NOT DISTINCT FROM last.assignment_sequence
            AND (o.last_status IS NOT DISTINCT FROM last.status
                OR baton.known_engineer(o.assigned_engineer_id::text)::text = c.assigned_engineer_id
                AND c.assignment_tier = baton.tier(CASE
                    WHEN baton.is_readable('tier', to_jsonb(o.assignment_tier), false) THEN o.assignment_tier::text END))
        THEN to_jsonb(o) - '{id,last_sequence,last_status}'::text[]
        WHEN c.assigned_engineer_id IS NOT NULL THEN to_jsonb(c) - 'id'
        -- The time of one that was never assigned is not ours.
        WHEN last.assignment_sequence IS NULL THEN empty
        ELSE empty || '{"assigned_at": null}' END, empty
    FROM service_tickets t
    JOIN service_tickets_compat c ON c.id = t.id
    LEFT JOIN baton_legacy.old_columns o ON o.id = t.id
    LEFT JOIN LATERAL (
        SELECT a.assignment_sequence, a.status FROM engineer_assignments a
        WHERE a.ticket_id = t.id
        ORDER BY a.status IN ('assigned', 'accepted', 'in_progress') DESC, a.assignment_sequence DESC
        LIMIT 1
    ) AS last ON true
    WHERE t.id = ANY (tickets);
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
    DROP FUNCTION IF EXISTS baton_legacy.set_replication_role(text);
    DROP FUNCTION IF EXISTS baton_legacy.account_for(varchar(64)[]);
    DROP PROCEDURE IF EXISTS baton_legacy.restore_old_columns(int);
    ALTER TABLE public.engineer_assignments SET SCHEMA baton_legacy;
    ALTER TABLE baton.engineer_assignments SET SCHEMA public;
    -- An old view of this name reads the old table; the migrator has checked that it has these columns.
    IF to_regclass('public.current_ticket_assignments') IS NOT NULL THEN
        ALTER VIEW public.current_ticket_assignments SET SCHEMA baton_legacy;
    END IF;
    ALTER VIEW baton.current_ticket_assignments SET SCHEMA public;
    ALTER TABLE service_tickets
        DROP COLUMN assigned_engineer_id,
        DROP COLUMN assigned_engineer_name,
        DROP COLUMN assignment_tier,
        DROP COLUMN assignment_tier_name;
END $$;
