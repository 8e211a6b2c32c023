-- 0001 down: keeps the tables. They may be older than this migration and contain an operator's tickets, so only a
-- person may drop them.
SELECT 1;
