-- name: has_report()
SELECT to_regprocedure('assignment_migration_report()') IS NOT NULL AS has_report;

-- name: migration_report()
SELECT r.item, r.counted, r.expected
FROM assignment_migration_report() AS r;

-- name: every_ticket()
SELECT {tickets.columns}
FROM service_tickets t;

-- name: every_assignment()
SELECT {assignments.columns}
FROM engineer_assignments a;

-- name: every_engineer()
SELECT {engineers.columns}
FROM engineers e;

-- name: every_equipment()
SELECT {equipment.columns}
FROM equipment e;

-- name: event_ids_after(event_id, max_rows)
SELECT e.id
FROM ticket_events e
WHERE e.id > $1
ORDER BY e.id
LIMIT $2;

-- name: events_between(first_id, last_id)
-- As events_in_ranges.
SELECT {events.columns}
FROM ticket_events e
{events.with_assignment}
WHERE e.id BETWEEN $1 AND $2;
