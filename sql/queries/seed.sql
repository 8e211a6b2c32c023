-- name: is_empty()
-- Demo data must never mix with real work.
SELECT NOT EXISTS (SELECT FROM engineers) AND NOT EXISTS (SELECT FROM service_tickets) AS is_empty;

-- name: current_time()
-- Time is the database's, as everywhere: demo data ends at this moment.
SELECT app_now() AS now;

-- name: analyze_tables()
-- Without it the first plans after a bulk load assume empty tables, until autovacuum comes around.
ANALYZE engineers, equipment, service_tickets, engineer_assignments, assignment_events;
