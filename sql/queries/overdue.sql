-- fragment: from_overdue
-- Rows from the old application have no time of acceptance, so they are never overdue. The event `overdue` marks
-- assignments that could not be escalated.
FROM assignment_tiers r
JOIN engineer_assignments a ON a.assignment_tier = r.tier
    AND a.status = 'assigned' AND a.origin = 'live'
    AND a.assigned_at <= (SELECT app_now()) - r.accept_within
JOIN service_tickets t ON t.id = a.ticket_id AND t.status IN ('new', 'assigned', 'in_progress', 'on_hold')
WHERE NOT EXISTS (
    SELECT FROM assignment_events e
    WHERE e.ticket_id = a.ticket_id AND e.assignment_id = a.id AND e.type = 'overdue')

-- name: lock_overdue_ticket(excluded)
-- The ticket that waits longest. Tickets locked by another server or command are skipped.
SELECT t.id
{from_overdue}
  AND t.id <> ALL ($1::text[])
ORDER BY a.assigned_at
LIMIT 1
FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: overdue_assignment(ticket_id)
-- Checks again under the lock: the assignment may have been accepted in the meantime. The next engineer is the one of
-- the next tier with the fewest active assignments.
SELECT a.assignment_sequence, r.accept_within,
    (SELECT e.id
    FROM engineer_tiers p
    JOIN engineers e ON e.id = p.engineer_id
    WHERE p.tier = a.assignment_tier + 1 AND e.is_active AND e.id <> a.engineer_id
    ORDER BY {engineers.active_assignments}, e.id
    LIMIT 1) AS next_engineer_id
{from_overdue}
  AND t.id = $1;
