-- fragment: due
-- Rows from before the new application carry no time of acceptance, so they are never late. What could
-- not be escalated has said so once.
FROM assignment_tiers r
JOIN engineer_assignments a ON a.assignment_tier = r.tier
    AND a.status = 'assigned' AND a.origin = 'live'
    AND a.assigned_at <= (SELECT app_now()) - r.accept_within
JOIN service_tickets t ON t.id = a.ticket_id AND t.status IN ('new', 'assigned', 'in_progress', 'on_hold')
WHERE NOT EXISTS (
    SELECT FROM assignment_events e
    WHERE e.ticket_id = a.ticket_id AND e.assignment_id = a.id AND e.type = 'overdue')

-- name: lock_overdue_ticket(passed_over)
-- The one that waits longest. What another server or a person is at work on is left to them.
SELECT t.id
{due}
  AND t.id <> ALL ($1::text[])
ORDER BY a.assigned_at
LIMIT 1
FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: overdue_assignment(ticket_id)
-- Asked again while holding the lock: what was found before it may be accepted by now. The next engineer
-- is the one of the next tier who has least to do.
SELECT a.assignment_sequence, r.accept_within,
    (SELECT e.id
    FROM engineer_tiers p
    JOIN engineers e ON e.id = p.engineer_id
    WHERE p.tier = a.assignment_tier + 1 AND e.is_active AND e.id <> a.engineer_id
    ORDER BY (
        SELECT count(*)
        FROM engineer_assignments held
        WHERE held.engineer_id = e.id AND held.status IN ('assigned', 'accepted', 'in_progress')), e.id
    LIMIT 1) AS next_engineer_id
{due}
  AND t.id = $1;
