-- Statistics of a period from $1 (included) to $2 (excluded). An assignment belongs to a period either by the time it was
-- assigned or by the time it ended; each figure says which. Customer and model are joined only if they are filtered by.

-- fragment: matches_filter
($3::int IS NULL OR a.assignment_tier = $3)
  AND ($4::uuid IS NULL OR a.engineer_id = $4)
  AND ($5::text IS NULL OR a.ticket_id IN (SELECT t.id FROM service_tickets t WHERE t.customer_name = $5))
  AND ($6::text IS NULL OR a.equipment_id IN (SELECT e.id FROM equipment e WHERE e.model = $6))

-- fragment: is_assigned_in_period
a.assigned_at >= $1 AND a.assigned_at < $2
  AND {matches_filter}

-- fragment: has_ended_in_period
{assignments.ended_at} >= $1 AND {assignments.ended_at} < $2
  AND {assignments.has_ended}
  AND {matches_filter}

-- fragment: ticket_is_created_in_period
t.created_at >= $1 AND t.created_at < $2
  AND ($5::text IS NULL OR t.customer_name = $5)
  AND ($6::text IS NULL OR t.equipment_id IN (SELECT e.id FROM equipment e WHERE e.model = $6))
  -- Not EXISTS: for that the planner may read all assignments.
  AND (($3::int IS NULL AND $4::uuid IS NULL) OR (
      SELECT true FROM engineer_assignments a
      WHERE a.ticket_id = t.id
        AND ($3::int IS NULL OR a.assignment_tier = $3) AND ($4::uuid IS NULL OR a.engineer_id = $4)
      LIMIT 1))

-- fragment: durations
count(w.seconds) AS counted,
    count(*) FILTER (WHERE w.is_old) AS left_out,
    round(avg(w.seconds), 3) AS mean_seconds,
    round(percentile_disc(0.5) WITHIN GROUP (ORDER BY w.seconds), 3) AS p50_seconds,
    round(percentile_disc(0.95) WITHIN GROUP (ORDER BY w.seconds), 3) AS p95_seconds

-- name: tickets_by_escalations(start, until, tier, engineer_id, customer, equipment_model)
-- For tickets created in the period: how many have how many escalations until now. A tier or an engineer matches the
-- tickets ever assigned to them.
SELECT counted.escalations, count(*) AS tickets
FROM (
    SELECT (SELECT count(*) FROM engineer_assignments a WHERE a.ticket_id = t.id AND a.status = 'escalated')
        AS escalations
    FROM service_tickets t
    WHERE {ticket_is_created_in_period}
) AS counted
GROUP BY counted.escalations
ORDER BY counted.escalations;

-- name: escalations_by_tier(start, until, tier, engineer_id, customer, equipment_model)
-- By the time of the escalation. In rows from the old application the next assignment may be missing.
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
WHERE {has_ended_in_period}
  AND a.status = 'escalated'
GROUP BY a.assignment_tier, next.assignment_tier
ORDER BY a.assignment_tier, next.assignment_tier;

-- name: work_of_engineers(start, until, tier, engineer_id, customer, equipment_model)
-- New assignments count by the time they were assigned, the other figures by the time they ended.
WITH assigned AS (
    SELECT a.engineer_id,
        count(*) AS assignments,
        count(a.accepted_at) AS accepted,
        round(avg(extract(epoch FROM a.accepted_at - a.assigned_at)) FILTER (WHERE a.origin = 'live'), 3)
            AS mean_seconds_to_accept,
        count(*) FILTER (WHERE a.is_escalation AND a.assignment_type <> 'auto') AS escalated_to_manually,
        count(*) FILTER (WHERE a.is_escalation AND a.assignment_type = 'auto') AS escalated_to_automatically
    FROM (
        SELECT a.engineer_id, a.assignment_type, a.origin, a.assigned_at, a.accepted_at,
            CASE WHEN a.origin = 'live' AND a.assignment_type <> 'auto' THEN a.assignment_type = 'escalation'
                -- Old and automatic assignments do not store whether they follow an escalation.
                WHEN a.assignment_sequence > 1 THEN (
                    SELECT before.status = 'escalated'
                    FROM engineer_assignments before
                    WHERE before.ticket_id = a.ticket_id
                      AND before.assignment_sequence = a.assignment_sequence - 1)
            END AS is_escalation
        FROM engineer_assignments a
        WHERE {is_assigned_in_period}
        OFFSET 0 -- Keeps the planner from repeating the subquery for each use of its value.
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
        WHERE {has_ended_in_period}
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
FROM assigned g
FULL JOIN ended d USING (engineer_id);

-- name: time_to_accept(start, until, tier, engineer_id, customer, equipment_model)
-- Assignments assigned in the period. Rows from the old application have no reliable times.
SELECT {durations}
FROM (
    SELECT a.origin <> 'live' AS is_old,
        CASE WHEN a.origin = 'live' THEN extract(epoch FROM a.accepted_at - a.assigned_at) END AS seconds
    FROM engineer_assignments a
    WHERE {is_assigned_in_period}
) AS w;

-- name: time_to_resolve(start, until, tier, engineer_id, customer, equipment_model)
-- From the creation of the ticket to the successful end of an assignment, by the time of that end. Rows from the old
-- application do not store whether they were successful.
SELECT {durations}
FROM (
    SELECT a.origin <> 'live' AS is_old,
        CASE WHEN a.origin = 'live' THEN extract(epoch FROM a.completed_at - t.created_at) END AS seconds
    FROM engineer_assignments a
    -- LIMIT forces one index lookup per row: for a plain join the planner reads all tickets.
    LEFT JOIN LATERAL (
        SELECT t.created_at FROM service_tickets t WHERE t.id = a.ticket_id LIMIT 1
    ) AS t ON true
    WHERE {has_ended_in_period}
      AND a.status = 'completed'
      AND (a.completion_status = 'success' OR a.origin <> 'live')
) AS w;

-- name: outcomes(start, until, tier, engineer_id, customer, equipment_model)
SELECT a.status, a.completion_status, count(*) AS assignments
FROM engineer_assignments a
WHERE {has_ended_in_period}
GROUP BY a.status, a.completion_status
ORDER BY a.status, a.completion_status;

-- name: rejections_by_reason(start, until, tier, engineer_id, customer, equipment_model, first)
-- Reasons are free text, so there may be very many.
SELECT a.rejection_reason AS reason, count(*) AS assignments
FROM engineer_assignments a
WHERE {has_ended_in_period}
  AND a.status = 'rejected'
GROUP BY a.rejection_reason
ORDER BY assignments DESC, a.rejection_reason
LIMIT $7;

-- name: time_by_tier(start, until, tier, engineer_id, customer, equipment_model)
SELECT a.assignment_tier AS tier, count(*) AS assignments, coalesce(sum(a.time_spent_hours), 0.00) AS time_spent_hours
FROM engineer_assignments a
WHERE {has_ended_in_period}
GROUP BY a.assignment_tier
ORDER BY a.assignment_tier;

-- name: time_by_equipment_model(start, until, tier, engineer_id, customer, equipment_model)
-- Sums by device first: there are fewer devices than assignments.
SELECT e.model AS name, sum(d.assignments)::bigint AS assignments, sum(d.hours) AS time_spent_hours
FROM (
    SELECT a.equipment_id, count(*) AS assignments, coalesce(sum(a.time_spent_hours), 0.00) AS hours
    FROM engineer_assignments a
    WHERE {has_ended_in_period}
    GROUP BY a.equipment_id
) AS d
LEFT JOIN equipment e ON e.id = d.equipment_id
GROUP BY e.model;

-- name: time_by_customer(start, until, tier, engineer_id, customer, equipment_model)
-- Sums by ticket first.
SELECT t.customer_name AS name, sum(d.assignments)::bigint AS assignments, sum(d.hours) AS time_spent_hours
FROM (
    SELECT a.ticket_id, count(*) AS assignments, coalesce(sum(a.time_spent_hours), 0.00) AS hours
    FROM engineer_assignments a
    WHERE {has_ended_in_period}
    GROUP BY a.ticket_id
) AS d
LEFT JOIN LATERAL (
    SELECT t.customer_name FROM service_tickets t WHERE t.id = d.ticket_id LIMIT 1
) AS t ON true
GROUP BY t.customer_name;

-- name: series(start, until, tier, engineer_id, customer, equipment_model, unit, time_zone)
-- Calendar days, weeks or months of the time zone, including those without events.
WITH created AS (
    SELECT date_trunc($7, t.created_at AT TIME ZONE $8) AS part, count(*) AS tickets
    FROM service_tickets t
    WHERE {ticket_is_created_in_period}
    GROUP BY part
), assigned AS (
    SELECT date_trunc($7, a.assigned_at AT TIME ZONE $8) AS part, count(*) AS assignments
    FROM engineer_assignments a
    WHERE {is_assigned_in_period}
    GROUP BY part
), ended AS (
    SELECT date_trunc($7, {assignments.ended_at} AT TIME ZONE $8) AS part,
        count(*) FILTER (WHERE a.status = 'escalated') AS escalations,
        count(*) FILTER (WHERE a.status = 'completed') AS completed,
        sum(a.time_spent_hours) AS time_spent_hours
    FROM engineer_assignments a
    WHERE {has_ended_in_period}
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
LEFT JOIN created r USING (part)
LEFT JOIN assigned g USING (part)
LEFT JOIN ended d USING (part)
ORDER BY part;
