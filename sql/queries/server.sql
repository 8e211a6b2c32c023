-- name: about_server()
SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number,
    current_user::text AS user,
    (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AS is_superuser,
    clock_timestamp() AS now,
    ARRAY(SELECT e.extname::text FROM pg_extension e ORDER BY 1) AS extensions;

-- name: settings_that_differ(names, wanted_values)
-- Set for the moment of the statement, so that 5000ms is compared as 5s.
SELECT s.name
FROM (
    SELECT w.name, current_setting(w.name) AS found, set_config(w.name, w.value, true) AS wanted
    FROM unnest($1::text[], $2::text[]) AS w (name, value)
) s
WHERE s.found <> s.wanted
ORDER BY s.name;

-- name: written_position()
-- Where the next record of the log begins: all that is committed is before it. A standby has none.
SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS position;

-- name: replayed_position()
SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END AS position;

-- name: plan_for_values()
-- Until the transaction ends: what is wanted decides how a statement is best run, and planning is the least of it.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);
