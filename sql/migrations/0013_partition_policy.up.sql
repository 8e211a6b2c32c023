-- migrate: works with 0.1
-- 0013 up: functions that create partitions ahead of time and drop past days of keys. Every server calls
-- tend_partitions(); the first one does the work. Only the owner of the tables can drop a month of events.

-- Dropping a month of events is permanent; dropped_events keeps its highest id, to reject older cursors.
-- squawk-ignore-file ban-set-schema, require-concurrent-index-deletion
DROP INDEX IF EXISTS public.assignment_events_before_one, public.assignment_events_before_ticket;

ALTER TABLE IF EXISTS baton.dropped_events SET SCHEMA public;
CREATE TABLE IF NOT EXISTS public.dropped_events (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    last_id bigint NOT NULL
);
COMMENT ON TABLE public.dropped_events IS 'The highest id of all events that were dropped with their months.';
INSERT INTO public.dropped_events (last_id) VALUES (0) ON CONFLICT DO NOTHING;

-- Lets the server's role see which partitions exist, but none of their rows.
CREATE OR REPLACE VIEW public.time_partitions AS
SELECT parent.relname::text AS parent, child.relname::text AS name,
    CASE parent.relname
        WHEN 'idempotency_keys' THEN (range.bounds[1]::date)::timestamp AT TIME ZONE 'UTC'
        ELSE range.bounds[1]::timestamptz END AS ends_at
FROM pg_inherits i
JOIN pg_class parent ON parent.oid = i.inhparent
JOIN pg_class child ON child.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)') AS bounds) AS range
WHERE i.inhparent IN ('public.assignment_events'::regclass, 'public.idempotency_keys'::regclass);
COMMENT ON VIEW public.time_partitions IS 'Partitions of events and keys, and when each ends; null for the default partitions.';

-- Creates one partition and moves its rows out of the default partition, which blocks writes for that long.
CREATE OR REPLACE FUNCTION public.make_time_partition(parent text, name text, time_column text, first text, beyond text)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES)', name, parent);
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format('INSERT INTO public.%1$I SELECT d.* FROM public.%2$I d WHERE d.%3$I >= %4$L AND d.%3$I < %5$L',
        name, parent || '_default', time_column, first, beyond);
    -- A trigger prevents single deletes of keys, except here.
    EXECUTE format('ALTER TABLE public.%I DISABLE TRIGGER USER', parent || '_default');
    EXECUTE format('DELETE FROM public.%1$I d WHERE d.%2$I >= %3$L AND d.%2$I < %4$L',
        parent || '_default', time_column, first, beyond);
    EXECUTE format('ALTER TABLE public.%I ENABLE TRIGGER USER', parent || '_default');
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        parent, name, first, beyond);
    RETURN 'made ' || name;
END $$;
REVOKE ALL ON FUNCTION public.make_time_partition(text, text, text, text, text) FROM PUBLIC;

-- Does the next step that is due and returns what it was, or null. Uses the real time, not app_now(): a session
-- setting must not decide what is dropped.
CREATE OR REPLACE FUNCTION public.tend_partitions() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET lock_timeout = '200ms' AS $$
DECLARE
    today date := clock_timestamp()::date;
    this_month date := date_trunc('month', clock_timestamp())::date;
    first date;
    outdated text;
BEGIN
    -- One server at a time; the others skip this run.
    IF NOT pg_try_advisory_xact_lock(7301112024002) THEN
        RETURN NULL;
    END IF;

    SELECT greatest(max(p.ends_at)::date, today) INTO first FROM public.time_partitions p WHERE p.parent = 'idempotency_keys';
    IF first <= today + 3 THEN
        RETURN public.make_time_partition('idempotency_keys', to_char(first, '"idempotency_keys_p"YYYYMMDD'),
            'day', first::text, (first + 1)::text);
    END IF;
    SELECT p.name INTO outdated FROM public.time_partitions p
    WHERE p.parent = 'idempotency_keys' AND p.ends_at < today ORDER BY p.ends_at LIMIT 1;
    IF outdated IS NOT NULL THEN
        EXECUTE format('DROP TABLE public.%I', outdated);
        RETURN 'dropped ' || outdated;
    END IF;

    SELECT greatest(max(p.ends_at)::date, this_month) INTO first FROM public.time_partitions p WHERE p.parent = 'assignment_events';
    IF first <= this_month + interval '2 months' THEN
        -- The lock that the foreign keys need, in the same order as a command takes its locks.
        LOCK TABLE public.service_tickets IN SHARE ROW EXCLUSIVE MODE;
        RETURN public.make_time_partition('assignment_events', to_char(first, '"assignment_events_p"YYYYMM'),
            'occurred_at', first::text, (first + interval '1 month')::date::text);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION public.tend_partitions() FROM PUBLIC;

-- For the owner of the tables: other roles cannot drop a table.
CREATE OR REPLACE FUNCTION public.drop_events(name text) RETURNS bigint LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE last bigint;
BEGIN
    PERFORM FROM public.time_partitions p
    WHERE p.parent = 'assignment_events' AND p.name = drop_events.name AND p.ends_at < clock_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no month of events that is over', name;
    END IF;
    EXECUTE format('SELECT coalesce(max(e.id), 0) FROM public.%I e', name) INTO last;
    UPDATE public.dropped_events d SET last_id = greatest(d.last_id, last);
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN last;
END $$;
REVOKE ALL ON FUNCTION public.drop_events(text) FROM PUBLIC;

-- Grant access to the server's roles now, so that `migrate grant` need not run first.
DO $$
DECLARE role text;
BEGIN
    FOR role IN
        SELECT DISTINCT quote_ident(r.rolname) FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.oid = 'public.assignment_events'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT SELECT ON public.dropped_events, public.time_partitions, public.assignment_events_id_seq TO %s', role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION public.tend_partitions() TO %s', role);
    END LOOP;
END $$;
