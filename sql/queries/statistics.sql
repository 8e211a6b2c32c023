-- What happened in a period: from $1, before $2. An assignment is given at one moment and ends at another, and each
-- figure says which of the two it goes by. Customer and model are looked up only where they are asked for.

-- fragment: wanted
($3::int IS NULL OR a.assignment_tier = $3)
  AND ($4::uuid IS NULL OR a.engineer_id = $4)
  AND ($5::text IS NULL OR a.ticket_id IN (SELECT t.id FROM service_tickets t WHERE t.customer_name = $5))
  AND ($6::text IS NULL OR a.equipment_id IN (SELECT e.id FROM equipment e WHERE e.model = $6))

-- fragment: given
a.assigned_at >= $1 AND a.assigned_at < $2
  AND {wanted}

-- fragment: ended
coalesce(a.completed_at, a.rejected_at) >= $1 AND coalesce(a.completed_at, a.rejected_at) < $2
  AND a.status IN ('completed', 'failed', 'rejected', 'escalated', 'cancelled')
  AND {wanted}

-- fragment: reported
t.created_at >= $1 AND t.created_at < $2
  AND ($5::text IS NULL OR t.customer_name = $5)
  AND ($6::text IS NULL OR t.equipment_id IN (SELECT e.id FROM equipment e WHERE e.model = $6))
  -- Not EXISTS, for which the planner may read all assignments.
  AND (($3::int IS NULL AND $4::uuid IS NULL) OR (
      SELECT true FROM engineer_assignments a
      WHERE a.ticket_id = t.id
        AND ($3::int IS NULL OR a.assignment_tier = $3) AND ($4::uuid IS NULL OR a.engineer_id = $4)
      LIMIT 1))

-- fragment: durations
count(w.seconds) AS counted,
    count(*) FILTER (WHERE w.old) AS left_out,
    round(avg(w.seconds), 3) AS mean_seconds,
    round(percentile_disc(0.5) WITHIN GROUP (ORDER BY w.seconds), 3) AS p50_seconds,
    round(percentile_disc(0.95) WITHIN GROUP (ORDER BY w.seconds), 3) AS p95_seconds

-- name: tickets_by_escalations(start, until, tier, engineer_id, customer, equipment_model)
-- Of the tickets that were reported in the period, how many went up how often, until now. Of a tier or an
-- engineer are the tickets that they ever had.
SELECT counted.escalations, count(*) AS tickets
FROM (
    SELECT (SELECT count(*) FROM engineer_assignments a WHERE a.ticket_id = t.id AND a.status = 'escalated')
        AS escalations
    FROM service_tickets t
    WHERE {reported}
) AS counted
GROUP BY counted.escalations
ORDER BY counted.escalations;

-- name: escalations_by_tier(start, until, tier, engineer_id, customer, equipment_model)
-- By the moment of the escalation. Where the old application ended a row as escalated, nobody may have come next.
SELECT a.assignment_tier AS from_tier,
    next.assignment_tier AS to_tier,
    count(*) FILTER (WHERE next.assignment_type IS DISTINCT FROM 'auto') AS manual,
    count(*) FILTER (WHERE next.assignment_type = 'auto') AS automatic
FROM engineer_assignments a
LEFT JOIN LATERAL (
    SELECT next.assignment_tier, next.assignment_type
    FROM engineer_assignments next
    WHERE next.ticket_id = a.ticket_id AND next.assignment_sequence = a.assignment_sequence + 1
    LIMIT 1
) AS next ON true
WHERE {ended}
  AND a.status = 'escalated'
GROUP BY a.assignment_tier, next.assignment_tier
ORDER BY a.assignment_tier, next.assignment_tier;

-- name: work_of_engineers(start, until, tier, engineer_id, customer, equipment_model)
-- What was given to each goes by when it was given, the rest by when it ended.
WITH given AS (
    SELECT a.engineer_id,
        count(*) AS assignments,
        count(a.accepted_at) AS accepted,
        round(avg(extract(epoch FROM a.accepted_at - a.assigned_at)) FILTER (WHERE a.origin = 'live'), 3)
            AS mean_seconds_to_accept,
        count(*) FILTER (WHERE a.came_up AND a.assignment_type <> 'auto') AS escalated_to_manually,
        count(*) FILTER (WHERE a.came_up AND a.assignment_type = 'auto') AS escalated_to_automatically
    FROM (
        SELECT a.engineer_id, a.assignment_type, a.origin, a.assigned_at, a.accepted_at,
            CASE WHEN a.origin = 'live' AND a.assignment_type <> 'auto' THEN a.assignment_type = 'escalation'
                -- Of few, the row itself does not say it.
                WHEN a.assignment_sequence > 1 THEN (
                    SELECT before.status = 'escalated'
                    FROM engineer_assignments before
                    WHERE before.ticket_id = a.ticket_id
                      AND before.assignment_sequence = a.assignment_sequence - 1)
            END AS came_up
        FROM engineer_assignments a
        WHERE {given}
        OFFSET 0 -- Without it, the lookup would be copied to each of its uses.
    ) AS a
    GROUP BY a.engineer_id
), ended AS (
    SELECT a.engineer_id,
        count(*) FILTER (WHERE a.status = 'completed') AS completed,
        count(*) FILTER (WHERE a.status = 'failed') AS failed,
        count(*) FILTER (WHERE a.status = 'rejected') AS rejected,
        count(*) FILTER (WHERE a.status = 'escalated' AND a.next_type IS DISTINCT FROM 'auto')
            AS escalated_from_manually,
        count(*) FILTER (WHERE a.status = 'escalated' AND a.next_type = 'auto') AS escalated_from_automatically,
        count(*) FILTER (WHERE a.status = 'cancelled' AND a.next_type = 'reassignment') AS reassigned,
        count(*) FILTER (WHERE a.status = 'cancelled' AND a.next_type IS DISTINCT FROM 'reassignment')
            AS cancelled,
        sum(a.time_spent_hours) AS time_spent_hours
    FROM (
        SELECT a.engineer_id, a.status, a.time_spent_hours,
            CASE WHEN a.status IN ('escalated', 'cancelled') THEN (
                SELECT next.assignment_type
                FROM engineer_assignments next
                WHERE next.ticket_id = a.ticket_id AND next.assignment_sequence = a.assignment_sequence + 1)
            END AS next_type
        FROM engineer_assignments a
        WHERE {ended}
        OFFSET 0
    ) AS a
    GROUP BY a.engineer_id
)
SELECT engineer_id,
    coalesce(g.assignments, 0) AS assignments,
    coalesce(g.accepted, 0) AS accepted,
    g.mean_seconds_to_accept,
    coalesce(g.escalated_to_manually, 0) AS escalated_to_manually,
    coalesce(g.escalated_to_automatically, 0) AS escalated_to_automatically,
    coalesce(d.completed, 0) AS completed,
    coalesce(d.failed, 0) AS failed,
    coalesce(d.rejected, 0) AS rejected,
    coalesce(d.escalated_from_manually, 0) AS escalated_from_manually,
    coalesce(d.escalated_from_automatically, 0) AS escalated_from_automatically,
    coalesce(d.reassigned, 0) AS reassigned,
    coalesce(d.cancelled, 0) AS cancelled,
    coalesce(d.time_spent_hours, 0.00) AS time_spent_hours
FROM given g
FULL JOIN ended d USING (engineer_id);

-- name: time_to_accept(start, until, tier, engineer_id, customer, equipment_model)
-- Of what was given in the period. Rows from before the new application know no time that can be trusted.
SELECT {durations}
FROM (
    SELECT a.origin <> 'live' AS old,
        CASE WHEN a.origin = 'live' THEN extract(epoch FROM a.accepted_at - a.assigned_at) END AS seconds
    FROM engineer_assignments a
    WHERE {given}
) AS w;

-- name: time_to_resolve(start, until, tier, engineer_id, customer, equipment_model)
-- From the report of the ticket to the assignment that ended with success, by when that was. Rows from before the
-- new application do not say whether they did.
SELECT {durations}
FROM (
    SELECT a.origin <> 'live' AS old,
        CASE WHEN a.origin = 'live' THEN extract(epoch FROM a.completed_at - t.created_at) END AS seconds
    FROM engineer_assignments a
    -- One by one, which LIMIT sees to: for a plain join the planner reads all tickets.
    LEFT JOIN LATERAL (
        SELECT t.created_at FROM service_tickets t WHERE t.id = a.ticket_id LIMIT 1
    ) AS t ON true
    WHERE {ended}
      AND a.status = 'completed'
      AND (a.completion_status = 'success' OR a.origin <> 'live')
) AS w;

-- name: outcomes(start, until, tier, engineer_id, customer, equipment_model)
SELECT a.status, a.completion_status, count(*) AS assignments
FROM engineer_assignments a
WHERE {ended}
GROUP BY a.status, a.completion_status
ORDER BY a.status, a.completion_status;

-- name: rejections_by_reason(start, until, tier, engineer_id, customer, equipment_model, first)
-- Reasons are typed by people, so there may be very many.
SELECT a.rejection_reason AS reason, count(*) AS assignments
FROM engineer_assignments a
WHERE {ended}
  AND a.status = 'rejected'
GROUP BY a.rejection_reason
ORDER BY assignments DESC, a.rejection_reason
LIMIT $7;

-- name: time_by_tier(start, until, tier, engineer_id, customer, equipment_model)
SELECT a.assignment_tier AS tier, count(*) AS assignments, coalesce(sum(a.time_spent_hours), 0.00) AS time_spent_hours
FROM engineer_assignments a
WHERE {ended}
GROUP BY a.assignment_tier
ORDER BY a.assignment_tier;

-- name: time_by_equipment_model(start, until, tier, engineer_id, customer, equipment_model)
-- Added up by device first: there are fewer of those than assignments.
SELECT e.model AS name, sum(d.assignments)::bigint AS assignments, sum(d.hours) AS time_spent_hours
FROM (
    SELECT a.equipment_id, count(*) AS assignments, coalesce(sum(a.time_spent_hours), 0.00) AS hours
    FROM engineer_assignments a
    WHERE {ended}
    GROUP BY a.equipment_id
) AS d
LEFT JOIN equipment e ON e.id = d.equipment_id
GROUP BY e.model;

-- name: time_by_customer(start, until, tier, engineer_id, customer, equipment_model)
-- Added up by ticket first.
SELECT t.customer_name AS name, sum(d.assignments)::bigint AS assignments, sum(d.hours) AS time_spent_hours
FROM (
    SELECT a.ticket_id, count(*) AS assignments, coalesce(sum(a.time_spent_hours), 0.00) AS hours
    FROM engineer_assignments a
    WHERE {ended}
    GROUP BY a.ticket_id
) AS d
LEFT JOIN LATERAL (
    SELECT t.customer_name FROM service_tickets t WHERE t.id = d.ticket_id LIMIT 1
) AS t ON true
GROUP BY t.customer_name;

-- name: series(start, until, tier, engineer_id, customer, equipment_model, unit, time_zone)
-- Days, weeks and months as a calendar of the time zone has them, those in which nothing happened too.
WITH reported AS (
    SELECT date_trunc($7, t.created_at AT TIME ZONE $8) AS part, count(*) AS tickets
    FROM service_tickets t
    WHERE {reported}
    GROUP BY part
), given AS (
    SELECT date_trunc($7, a.assigned_at AT TIME ZONE $8) AS part, count(*) AS assignments
    FROM engineer_assignments a
    WHERE {given}
    GROUP BY part
), ended AS (
    SELECT date_trunc($7, coalesce(a.completed_at, a.rejected_at) AT TIME ZONE $8) AS part,
        count(*) FILTER (WHERE a.status = 'escalated') AS escalations,
        count(*) FILTER (WHERE a.status = 'completed') AS completed,
        sum(a.time_spent_hours) AS time_spent_hours
    FROM engineer_assignments a
    WHERE {ended}
    GROUP BY part
)
SELECT part::date AS start,
    coalesce(r.tickets, 0) AS tickets,
    coalesce(g.assignments, 0) AS assignments,
    coalesce(d.escalations, 0) AS escalations,
    coalesce(d.completed, 0) AS completed,
    coalesce(d.time_spent_hours, 0.00) AS time_spent_hours
FROM generate_series(date_trunc($7, $1 AT TIME ZONE $8), ($2 - interval '1 microsecond') AT TIME ZONE $8,
    ('1 ' || $7)::interval) AS part
LEFT JOIN reported r USING (part)
LEFT JOIN given g USING (part)
LEFT JOIN ended d USING (part)
ORDER BY part;
