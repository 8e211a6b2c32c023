-- fragment: from_unaccepted
-- Rows from the old application have no time of acceptance, so they are never overdue.
FROM assignment_tiers r
JOIN engineer_assignments a ON a.assignment_tier = r.tier
    AND a.status = 'assigned' AND a.origin = 'live'
    AND a.assigned_at <= (SELECT app_now()) - r.accept_within
-- A hold pauses the limit, which starts again when the ticket is resumed.
JOIN service_tickets t ON t.id = a.ticket_id AND t.status IN ('new', 'assigned', 'in_progress')
    AND NOT EXISTS (
        SELECT FROM ticket_events resumed
        WHERE resumed.ticket_id = a.ticket_id AND resumed.type = 'ticket_resumed'
          AND resumed.recorded_at > (SELECT app_now()) - r.accept_within)

-- fragment: from_available
-- The engineers that the ticket can be escalated to: active ones, at any higher tier.
FROM engineer_tiers p
JOIN engineers e ON e.id = p.engineer_id
WHERE p.tier > a.assignment_tier AND e.is_active AND e.id <> a.engineer_id

-- fragment: is_not_recorded
-- The event `overdue` marks an assignment that could not be escalated. It is recorded once; later, the assignment counts
-- again as soon as an engineer is available.
NOT EXISTS (
    SELECT FROM ticket_events o
    WHERE o.ticket_id = a.ticket_id AND o.assignment_id = a.id AND o.type = 'overdue')

-- name: lock_overdue_ticket(excluded)
-- The ticket that waits longest. Tickets locked by another server or command are skipped.
SELECT t.id
{from_unaccepted}
WHERE t.id <> ALL ($1::text[])
  AND (EXISTS (SELECT {from_available}) OR {is_not_recorded})
ORDER BY a.assigned_at
LIMIT 1
FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: overdue_assignment(ticket_id)
-- Checks again under the lock: the assignment may have been accepted in the meantime. The next engineer is the one with
-- the fewest active assignments at the lowest higher tier that has an available engineer.
SELECT a.assignment_sequence, r.accept_within, available.tier AS next_tier, available.engineer_id AS next_engineer_id
{from_unaccepted}
LEFT JOIN LATERAL (
    SELECT p.tier, e.id AS engineer_id
    {from_available}
    ORDER BY p.tier, {engineers.active_assignments}, e.id
    LIMIT 1
) AS available ON true
WHERE t.id = $1
  AND (available.engineer_id IS NOT NULL OR {is_not_recorded});
