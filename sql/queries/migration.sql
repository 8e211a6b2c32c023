-- name: migration_report()
SELECT r.item, r.counted, r.expected
FROM assignment_migration_report() AS r;
