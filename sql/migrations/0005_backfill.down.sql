-- 0005 down: the next time, the backfill looks at every ticket again: the old application may have been at work.
UPDATE assignment_migration_state SET reached = '';
