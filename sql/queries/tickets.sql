-- fragment: columns
t.id, t.ticket_number, t.status, t.priority, t.customer_name, t.issue_category, t.issue_description,
t.equipment_id, t.created_at, t.updated_at, t.started_at, t.resolved_at, t.closed_at

-- fragment: turn
{columns},
{assignments.columns},
{engineers.columns}

-- fragment: named
t.id = ANY ($1::text[])
  AND ($2::uuid IS NULL OR EXISTS (
      SELECT FROM engineer_assignments own WHERE own.ticket_id = t.id AND own.engineer_id = $2))

-- name: lock_ticket(ticket_id, assignment_id)
-- The ticket that is named, else that of the assignment, which never changes its ticket. Whoever was overtaken
-- locks first, so that commands on one ticket take turns. NO KEY: a row that refers to the ticket may still be
-- inserted meanwhile.
SELECT FROM service_tickets t
WHERE t.id = coalesce($1, (SELECT a.ticket_id FROM engineer_assignments a WHERE a.id = $2))
FOR NO KEY UPDATE;

-- name: tickets_by_ids(ticket_ids, visible_to)
SELECT {columns}
FROM service_tickets t
WHERE {named};

-- name: tickets_with_current(ticket_ids, visible_to)
-- With the assignment that is current, and whose it is, in one round trip.
SELECT {turn}
FROM service_tickets t
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress')
LEFT JOIN engineers e ON e.id = a.engineer_id
WHERE {named};

-- name: tickets_with_history(ticket_ids, visible_to)
-- Once for each assignment, and once without one where there is none.
SELECT {turn}
FROM service_tickets t
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id
LEFT JOIN engineers e ON e.id = a.engineer_id
WHERE {named}
ORDER BY t.id, a.assignment_sequence;

-- name: newest_tickets(priorities, after_created_at, after_id, first)
-- Pages are keyset pages: the row comparison walks the index from where the last page ended.
SELECT {columns}
FROM service_tickets t
WHERE (t.created_at, t.id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::text, ''))
  AND ($1::text[] IS NULL OR t.priority = ANY ($1))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $4;

-- name: newest_tickets_of_statuses(statuses, priorities, unassigned, after_created_at, after_id, first)
-- One walk of the status index for each status, merged: a rare status costs no more than a common one.
SELECT {columns}
FROM unnest($1::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT {columns}
    FROM service_tickets t
    WHERE t.status = wanted.status
      AND (t.created_at, t.id) < (coalesce($4::timestamptz, 'infinity'), coalesce($5::text, ''))
      AND ($2::text[] IS NULL OR t.priority = ANY ($2))
      AND (NOT $3 OR NOT EXISTS (
          SELECT FROM engineer_assignments a
          WHERE a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress')))
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT $6
) AS t
ORDER BY t.created_at DESC, t.id DESC
LIMIT $6;

-- name: newest_tickets_held(engineer_id, tier, statuses, priorities, search, after_created_at, after_id, first)
-- Starts from the active assignments, of which there are few; MATERIALIZED keeps it so, also in a plan
-- that is kept for all values, which would otherwise read every ticket.
WITH held AS MATERIALIZED (
    SELECT a.ticket_id
    FROM engineer_assignments a
    WHERE a.status IN ('assigned', 'accepted', 'in_progress')
      AND ($1::uuid IS NULL OR a.engineer_id = $1)
      AND ($2::int IS NULL OR a.assignment_tier = $2)
)
SELECT {columns}
FROM held h
JOIN service_tickets t ON t.id = h.ticket_id
WHERE ($3::text[] IS NULL OR t.status = ANY ($3))
  AND ($4::text[] IS NULL OR t.priority = ANY ($4))
  AND ($5::text IS NULL OR (t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' '
      || coalesce(t.issue_category, '')) ILIKE $5)
  AND (t.created_at, t.id) < (coalesce($6::timestamptz, 'infinity'), coalesce($7::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $8;

-- name: newest_tickets_matching(search, statuses, priorities, unassigned, after_created_at, after_id, first)
-- The expression is that of the trigram index, to the letter.
SELECT {columns}
FROM service_tickets t
WHERE (t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' ' || coalesce(t.issue_category, '')) ILIKE $1
  AND ($2::text[] IS NULL OR t.status = ANY ($2))
  AND ($3::text[] IS NULL OR t.priority = ANY ($3))
  AND (NOT $4 OR NOT EXISTS (
      SELECT FROM engineer_assignments a
      WHERE a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress')))
  AND (t.created_at, t.id) < (coalesce($5::timestamptz, 'infinity'), coalesce($6::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $7;

-- name: newest_tickets_of_engineer(visible_to, engineer_id, tier, held, statuses, priorities, search, after_created_at, after_id, first)
-- What one engineer may see, which is little: all that narrows it further comes after.
SELECT {columns}
FROM (SELECT DISTINCT own.ticket_id FROM engineer_assignments own WHERE own.engineer_id = $1) AS own
JOIN service_tickets t ON t.id = own.ticket_id
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress')
WHERE ($2::uuid IS NULL OR a.engineer_id = $2)
  AND ($3::int IS NULL OR a.assignment_tier = $3)
  AND ($4::boolean IS NULL OR $4 = (a.id IS NOT NULL))
  AND ($5::text[] IS NULL OR t.status = ANY ($5))
  AND ($6::text[] IS NULL OR t.priority = ANY ($6))
  AND ($7::text IS NULL OR (t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' '
      || coalesce(t.issue_category, '')) ILIKE $7)
  AND (t.created_at, t.id) < (coalesce($8::timestamptz, 'infinity'), coalesce($9::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $10;

-- name: count_tickets_of_engineer(visible_to, engineer_id, tier, held, statuses, priorities, search)
SELECT count(*)
FROM (SELECT DISTINCT own.ticket_id FROM engineer_assignments own WHERE own.engineer_id = $1) AS own
JOIN service_tickets t ON t.id = own.ticket_id
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress')
WHERE ($2::uuid IS NULL OR a.engineer_id = $2)
  AND ($3::int IS NULL OR a.assignment_tier = $3)
  AND ($4::boolean IS NULL OR $4 = (a.id IS NOT NULL))
  AND ($5::text[] IS NULL OR t.status = ANY ($5))
  AND ($6::text[] IS NULL OR t.priority = ANY ($6))
  AND ($7::text IS NULL OR (t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' '
      || coalesce(t.issue_category, '')) ILIKE $7);

-- name: count_tickets_held(engineer_id, tier, statuses, priorities, search)
WITH held AS MATERIALIZED (
    SELECT a.ticket_id
    FROM engineer_assignments a
    WHERE a.status IN ('assigned', 'accepted', 'in_progress')
      AND ($1::uuid IS NULL OR a.engineer_id = $1)
      AND ($2::int IS NULL OR a.assignment_tier = $2)
)
SELECT count(*)
FROM held h
JOIN service_tickets t ON t.id = h.ticket_id
WHERE ($3::text[] IS NULL OR t.status = ANY ($3))
  AND ($4::text[] IS NULL OR t.priority = ANY ($4))
  AND ($5::text IS NULL OR (t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' '
      || coalesce(t.issue_category, '')) ILIKE $5);

-- name: count_tickets(statuses, priorities, search, unassigned)
SELECT count(*)
FROM service_tickets t
WHERE ($1::text[] IS NULL OR t.status = ANY ($1))
  AND ($2::text[] IS NULL OR t.priority = ANY ($2))
  AND ($3::text IS NULL OR (t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' '
      || coalesce(t.issue_category, '')) ILIKE $3)
  AND (NOT $4 OR NOT EXISTS (
      SELECT FROM engineer_assignments a
      WHERE a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress')));
