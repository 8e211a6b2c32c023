-- name: about_server()
SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number,
    current_user::text AS user,
    (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AS is_superuser,
    clock_timestamp() AS now,
    ARRAY(SELECT e.extname::text FROM pg_extension e ORDER BY 1) AS extensions;
