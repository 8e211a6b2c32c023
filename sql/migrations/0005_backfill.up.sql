-- migrate: no-transaction, works with 0.1
-- 0005 up: migrates every ticket, in batches that commit. After an interruption it continues where it stopped.
CALL baton.backfill();
-- next
ANALYZE baton.engineer_assignments, assignment_migration, assignment_migration_issues;
