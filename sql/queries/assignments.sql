-- fragment: columns
a.id, a.ticket_id, a.engineer_id, a.equipment_id, a.assignment_sequence, a.assignment_tier,
a.assignment_tier_name, a.assignment_reason, a.assignment_type, a.status, a.assigned_by, a.assigned_at,
a.accepted_at, a.rejected_at, a.started_at, a.completed_at, a.rejection_reason, a.escalation_reason,
a.cancellation_reason, a.completion_status, a.time_spent_hours, a.diagnosis, a.actions_taken,
a.parts_used, a.notes, a.customer_rating, a.customer_feedback, a.created_at,
a.updated_at

-- name: assignments_by_ids(assignment_ids, only_of)
SELECT {columns}
FROM engineer_assignments a
WHERE a.id = ANY ($1::uuid[])
  AND ($2::uuid IS NULL OR EXISTS (
      SELECT FROM engineer_assignments own WHERE own.ticket_id = a.ticket_id AND own.engineer_id = $2));

-- name: current_of_tickets(ticket_ids)
-- A ticket that nobody holds yields no row.
SELECT {columns}
FROM engineer_assignments a
WHERE a.ticket_id = ANY ($1::text[]) AND a.status IN ('assigned', 'accepted', 'in_progress');

-- name: history_of_tickets(ticket_ids)
SELECT {columns}
FROM engineer_assignments a
WHERE a.ticket_id = ANY ($1::text[])
ORDER BY a.ticket_id, a.assignment_sequence;

-- name: newest_of_engineers(engineer_ids, only_of, statuses, after_assigned_at, after_id, first)
SELECT {columns}
FROM unnest($1::uuid[]) AS wanted (engineer_id)
CROSS JOIN LATERAL (
    SELECT {columns}
    FROM engineer_assignments a
    WHERE a.engineer_id = wanted.engineer_id
      AND ($2::uuid IS NULL OR EXISTS (
          SELECT FROM engineer_assignments own WHERE own.ticket_id = a.ticket_id AND own.engineer_id = $2))
      AND ($3::text[] IS NULL OR a.status = ANY ($3))
      AND (a.assigned_at, a.id) < (
          coalesce($4::timestamptz, 'infinity'), coalesce($5::uuid, '00000000-0000-0000-0000-000000000000'))
    ORDER BY a.assigned_at DESC, a.id DESC
    LIMIT $6
) AS a
ORDER BY a.engineer_id, a.assigned_at DESC, a.id DESC;

-- name: count_of_engineers(engineer_ids, only_of, statuses)
SELECT a.engineer_id, count(*) AS assignments
FROM engineer_assignments a
WHERE a.engineer_id = ANY ($1::uuid[])
  AND ($2::uuid IS NULL OR EXISTS (
      SELECT FROM engineer_assignments own WHERE own.ticket_id = a.ticket_id AND own.engineer_id = $2))
  AND ($3::text[] IS NULL OR a.status = ANY ($3))
GROUP BY a.engineer_id;

-- name: count_active_of_engineers(engineer_ids)
SELECT a.engineer_id, count(*) AS assignments
FROM engineer_assignments a
WHERE a.engineer_id = ANY ($1::uuid[]) AND a.status IN ('assigned', 'accepted', 'in_progress')
GROUP BY a.engineer_id;

-- name: situation(ticket_id, assignment_id, engineer_id, actor, idempotency_key)
-- All that a command decides on, as it is at one moment. The ticket is the one that is named, else that of
-- the assignment; the assignment is the one that is named, else the current one. The versions are those of
-- the two rows: save_change writes only while they are still the same.
SELECT app_now() AS now,
    (SELECT coalesce(max(s.assignment_sequence), 0) FROM engineer_assignments s WHERE s.ticket_id = t.id)
        AS last_sequence,
    e.is_active AS engineer_is_active,
    k.request_hash,
    k.event_id,
    t.xmin AS ticket_version,
    a.xmin AS assignment_version,
    {tickets.columns},
    {columns}
FROM (SELECT) AS always
LEFT JOIN engineers e ON e.id = $3
LEFT JOIN LATERAL (
    -- Of whatever day; of two, each says the same.
    SELECT known.request_hash, known.event_id
    FROM idempotency_keys known
    WHERE known.actor = $4 AND known.key = $5
    LIMIT 1
) AS k ON true
LEFT JOIN service_tickets t
    ON t.id = coalesce($1, (SELECT named.ticket_id FROM engineer_assignments named WHERE named.id = $2))
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id AND CASE
    WHEN $2::uuid IS NULL THEN a.status IN ('assigned', 'accepted', 'in_progress')
    ELSE a.id = $2 END;

-- name: save_change(assignments, event_types, actor, ticket_id, ticket_status, now, idempotency_key, request_hash, request_id, token_id, details, ticket_version, assignment_id, assignment_version)
-- Writes a change whole, or nothing where the ticket, or the assignment that was read with it, is not in the
-- version that was read. It waits for whoever has the ticket's row, and looks at both rows as they leave them.
-- Every change makes a new version of the ticket, also one that leaves its columns as they are. So where the
-- version is still the one that was read, nothing has happened, and the snapshot of this statement, which is
-- older than the wait, is as good as a new one. So the next sequence is computed under the lock, and is the one
-- that the command answers. The second version is for who changes an assignment without the
-- ticket, as the old application does.
--
-- The assignments are rows of the table as JSON. What is there already changes; the rest opens, and only when
-- all that changes has changed: a row counts as new after every changed one was looked at. So the one that ends
-- makes room for the one that opens, as the index of active assignments wants.
WITH ticket AS (
    SELECT t.id FROM service_tickets t WHERE t.id = $4 AND t.xmin = $12
    FOR NO KEY UPDATE
), held AS (
    SELECT a.id FROM ticket CROSS JOIN engineer_assignments a
    WHERE a.ticket_id = $4 AND a.id = $13 AND a.xmin = $14
    FOR NO KEY UPDATE OF a
), as_read AS (
    SELECT ticket.id, 1 + coalesce((
        SELECT max(a.assignment_sequence) FROM engineer_assignments a WHERE a.ticket_id = ticket.id), 0) AS next_sequence
    FROM ticket
    WHERE $13::uuid IS NULL OR EXISTS (SELECT FROM held)
), moved AS (
    UPDATE service_tickets t
    SET status = coalesce($5, t.status),
        started_at = CASE WHEN $5 = 'in_progress' THEN coalesce(t.started_at, $6) ELSE t.started_at END,
        resolved_at = CASE WHEN $5 = 'resolved' THEN $6 ELSE t.resolved_at END,
        updated_at = CASE WHEN $5::text IS NULL THEN t.updated_at ELSE $6 END
    FROM as_read
    WHERE t.id = as_read.id
), changed AS (
    UPDATE engineer_assignments AS a
    SET status = r.status,
        accepted_at = r.accepted_at,
        rejected_at = r.rejected_at,
        started_at = r.started_at,
        completed_at = r.completed_at,
        rejection_reason = r.rejection_reason,
        escalation_reason = r.escalation_reason,
        cancellation_reason = r.cancellation_reason,
        completion_status = r.completion_status,
        time_spent_hours = r.time_spent_hours,
        diagnosis = r.diagnosis,
        actions_taken = r.actions_taken,
        -- An ended one keeps its parts to the letter: old ones may hold more than the fields that we read.
        parts_used = CASE WHEN a.status IN ('assigned', 'accepted', 'in_progress') THEN r.parts_used
            ELSE a.parts_used END,
        notes = r.notes,
        customer_rating = r.customer_rating,
        customer_feedback = r.customer_feedback,
        updated_at = r.updated_at
    FROM as_read CROSS JOIN jsonb_populate_recordset(NULL::engineer_assignments, $1::jsonb) AS r
    WHERE a.ticket_id = $4 AND a.id = r.id
    RETURNING a.id, a.assignment_sequence, to_jsonb(a) AS assignment
), opened AS (
    INSERT INTO engineer_assignments AS a (
        id, ticket_id, engineer_id, equipment_id, assignment_sequence, assignment_tier,
        assignment_tier_name, assignment_reason, assignment_type, status, assigned_by, assigned_at,
        parts_used, created_at, updated_at)
    SELECT r.id, $4, r.engineer_id, r.equipment_id, as_read.next_sequence, r.assignment_tier,
        r.assignment_tier_name, r.assignment_reason, r.assignment_type, r.status, r.assigned_by, r.assigned_at,
        r.parts_used, r.created_at, r.updated_at
    FROM as_read CROSS JOIN jsonb_populate_recordset(NULL::engineer_assignments, $1::jsonb) AS r
    WHERE NOT EXISTS (SELECT FROM changed c WHERE c.id = r.id)
    RETURNING a.id, a.assignment_sequence, to_jsonb(a) AS assignment
), saved AS (
    SELECT c.id, c.assignment_sequence, c.assignment FROM changed c
    UNION ALL
    SELECT o.id, o.assignment_sequence, o.assignment FROM opened o
), told AS (
    INSERT INTO assignment_events
        (ticket_id, assignment_id, type, actor, occurred_at, assignment, request_id, token_id, details)
    SELECT $4, s.id, ($2::text[])[row_number() OVER (ORDER BY s.assignment_sequence)], $3, $6, s.assignment,
        $9, $10, $11::jsonb
    FROM saved s
    ORDER BY s.assignment_sequence
    RETURNING id
), kept AS (
    INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at)
    SELECT $3, $7, $8, max(told.id), $6
    FROM told
    HAVING $7::text IS NOT NULL AND count(*) > 0
)
SELECT EXISTS (SELECT FROM as_read) AS saved;

-- name: assignment_as_answered(event_id)
-- Whoever names a table only as a type does not lock it: a migration could change its columns between plan and execution.
SELECT {columns}
FROM assignment_events e
JOIN engineer_assignments locked ON locked.id = e.assignment_id AND locked.ticket_id = e.ticket_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::engineer_assignments, e.assignment) AS a
WHERE e.id = $1;

-- name: events_within(firsts, lasts, ticket_id, engineer_id, only_of, most)
-- By id, of the ranges from `firsts` to `lasts`.
SELECT e.id, e.type, e.actor, e.occurred_at,
    ARRAY(SELECT DISTINCT own.engineer_id FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id)
        AS ticket_engineers,
    {columns}
FROM unnest($1::bigint[], $2::bigint[]) AS wanted (first, last)
CROSS JOIN LATERAL (
    SELECT e.id, e.type, e.actor, e.occurred_at, e.ticket_id, e.assignment
    FROM assignment_events e
    WHERE e.id BETWEEN wanted.first AND wanted.last
      AND ($3::text IS NULL OR e.ticket_id = $3)
      AND ($4::uuid IS NULL OR e.assignment ->> 'engineer_id' = ($4::uuid)::text)
      AND ($5::uuid IS NULL OR EXISTS (
          SELECT FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id AND own.engineer_id = $5))
    ORDER BY e.id
    LIMIT $6
) AS e
CROSS JOIN LATERAL jsonb_populate_record(NULL::engineer_assignments, e.assignment) AS a
ORDER BY e.id
LIMIT $6;

-- name: known_ids()
-- The highest id that was ever taken, and the highest among those that were dropped for their age.
SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS newest, d.last_id AS dropped
FROM assignment_events_id_seq s
CROSS JOIN dropped_events d;

-- name: next_transaction()
-- Every transaction that had taken the id of an event before has a lower number: it wrote, or locked a row.
SELECT pg_current_xact_id()::text::bigint;

-- name: oldest_transaction()
-- Every transaction with a lower number is over, and what it has written is visible.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
