-- 0001 down: nothing to undo. The tables may have been here before us, and they hold an operator's
-- tickets: dropping those is a person's decision.
SELECT 1;
