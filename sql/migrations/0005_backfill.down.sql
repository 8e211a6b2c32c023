-- 0005 down: the next backfill checks every ticket again, because the old application may have changed some.
UPDATE assignment_migration_state SET reached = '';
