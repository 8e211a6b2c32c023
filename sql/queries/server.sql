-- name: about_server()
SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number,
    current_database()::text AS database,
    current_user::text AS user,
    (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AS is_superuser,
    clock_timestamp() AS now,
    ARRAY(SELECT e.extname::text FROM pg_extension e ORDER BY 1) AS extensions;

-- name: settings_that_differ(names, expected_values)
-- Setting the expected value, for this transaction only, normalizes it: 5000ms becomes 5s. Only a superuser may set some.
SELECT s.name
FROM (
    SELECT w.name, current_setting(w.name) AS actual, CASE
        WHEN w.name IN (SELECT lower(p.name) FROM pg_settings p WHERE p.context = 'superuser') THEN w.value
        ELSE set_config(w.name, w.value, true) END AS expected
    FROM unnest($1::text[], $2::text[]) AS w (name, value)
) s
WHERE s.actual <> s.expected
ORDER BY s.name;

-- name: tables_with_hidden_rows(tables)
-- Without a permissive policy for all rows, or with a restrictive one, the role may read or change only some.
SELECT c.relname::text AS table_name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = ANY ($1::text[]) AND n.nspname IN ('baton', 'public') AND c.relkind IN ('r', 'p')
  AND row_security_active(c.oid)
  AND EXISTS (
    SELECT FROM (VALUES ('SELECT', 'r'), ('UPDATE', 'w')) AS access (privilege, command)
    CROSS JOIN LATERAL (
        SELECT bool_or(pg_get_expr(p.polqual, p.polrelid) = 'true') FILTER (WHERE p.polpermissive) AS shows_all,
            bool_or(pg_get_expr(p.polqual, p.polrelid) <> 'true') FILTER (WHERE NOT p.polpermissive) AS hides_some
        FROM pg_policy p
        WHERE p.polrelid = c.oid AND p.polcmd::text IN ('*', access.command)
          AND EXISTS (SELECT FROM unnest(p.polroles) AS r (id) WHERE r.id = 0 OR pg_has_role(r.id, 'USAGE'))
    ) AS policy
    WHERE has_table_privilege(c.oid, access.privilege)
      AND (policy.shows_all IS NOT TRUE OR policy.hides_some))
ORDER BY c.relname;

-- name: written_position()
-- The LSN of the next WAL record: every commit is before it. Fails on a replica.
SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS position;

-- name: replayed_position()
SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END AS position;

-- name: plan_for_values()
-- Until the transaction ends. For these reads the best plan depends on the values, and planning is cheap.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);
