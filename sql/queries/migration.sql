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
