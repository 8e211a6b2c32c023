-- name: is_empty()
-- Demo data must never mix with real data.
SELECT NOT EXISTS (SELECT FROM engineers) AND NOT EXISTS (SELECT FROM service_tickets) AS is_empty;

-- name: current_time()
-- Demo data ends at this time, which is the database's as everywhere.
SELECT app_now() AS now;

-- name: analyze_tables()
-- Until autovacuum runs, plans after a bulk load would assume empty tables.
ANALYZE engineers, equipment, service_tickets, engineer_assignments, ticket_events;

-- name: mark_own_changes()
-- The triggers for other applications ignore the changes of this transaction.
SELECT set_config('baton.own_change', 'on', true) AS own_change;
