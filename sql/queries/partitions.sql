-- name: tend_partitions()
-- The function runs as the owner of the tables (SECURITY DEFINER): the server's role cannot create or drop partitions.
SELECT tend_partitions() AS done;

-- name: partitions_ready_until()
SELECT p.parent AS table, max(p.ends_at) AS until, max(p.ends_at) > now() + interval '1 day' AS in_time
FROM time_partitions p
WHERE p.ends_at IS NOT NULL
GROUP BY p.parent
ORDER BY p.parent;

-- name: old_event_partitions(kept_months)
SELECT p.name
FROM time_partitions p
WHERE p.parent = 'ticket_events' AND p.ends_at <= now() - make_interval(months => $1)
ORDER BY p.ends_at;

-- name: drop_events(partition)
SELECT drop_events($1) AS last_id;
