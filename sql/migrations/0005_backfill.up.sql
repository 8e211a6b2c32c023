-- migrate: no-transaction
-- 0005 up: every ticket is taken over, in batches that commit. Stopped, it goes on where it was.
CALL baton.backfill();
-- next
ANALYZE baton.engineer_assignments, assignment_migration, assignment_migration_issues;
