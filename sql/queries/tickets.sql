-- fragment: columns
t.id, t.ticket_number, t.status, t.priority, t.customer_name, t.issue_category, t.issue_description,
t.equipment_id, t.created_at, t.updated_at, t.started_at, t.resolved_at, t.closed_at

-- fragment: notes
n.id, n.ticket_id, n.text, n.for_next_holder, n.author, n.author_engineer_id, n.recorded_at

-- fragment: details
d.ticket_id, d.version, d.contact_name, d.contact_phone, d.site_address, d.hold_reason, d.held_by, d.held_at,
d.hold_until, d.next_tier, d.waiting_since, d.cancelled_at, d.follow_up_of, d.duplicate_of

-- fragment: columns_with_assignment
{columns},
{assignments.columns},
{engineers.columns}

-- fragment: is_requested_and_visible
t.id = ANY ($1::text[])
  AND ($2::uuid IS NULL OR EXISTS (
      SELECT FROM engineer_assignments own WHERE own.ticket_id = t.id AND own.engineer_id = $2))

-- fragment: is_unassigned
NOT EXISTS (SELECT FROM engineer_assignments a WHERE a.ticket_id = t.id AND {assignments.is_active})

-- fragment: search_text
(t.ticket_number || ' ' || coalesce(t.customer_name, '') || ' ' || coalesce(t.issue_category, ''))

-- fragment: white_space
'[\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+'

-- fragment: spaced_search_text
regexp_replace({search_text}, {white_space}, ' ', 'g')

-- fragment: matches_1_2_3
($1::text[] IS NULL OR t.status = ANY ($1))
  AND ($2::text[] IS NULL OR t.priority = ANY ($2))
  AND ($3::text IS NULL OR ({search_text} ILIKE replace($3, ' ', '%')
      AND ($3 NOT LIKE '% %' OR {search_text} ILIKE $3 OR {spaced_search_text} ILIKE $3)))

-- fragment: from_held_by
FROM engineer_assignments a
JOIN service_tickets t ON t.id = a.ticket_id
WHERE a.engineer_id = $4 AND {assignments.is_active}
  AND ($5::int IS NULL OR a.assignment_tier = $5)
  AND {matches_1_2_3}

-- fragment: from_assigned
FROM engineer_assignments a
JOIN service_tickets t ON t.id = a.ticket_id
WHERE {assignments.is_active}
  AND ($4::int IS NULL OR a.assignment_tier = $4)
  AND {matches_1_2_3}

-- fragment: from_own
FROM (SELECT DISTINCT own.ticket_id FROM engineer_assignments own WHERE own.engineer_id = $1) AS own
JOIN service_tickets t ON t.id = own.ticket_id
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id AND {assignments.is_active}
WHERE ($2::uuid IS NULL OR a.engineer_id = $2)
  AND ($3::int IS NULL OR a.assignment_tier = $3)
  AND ($4::boolean IS NULL OR $4 = (a.id IS NOT NULL))
  AND ($5::text[] IS NULL OR t.status = ANY ($5))
  AND ($6::text[] IS NULL OR t.priority = ANY ($6))
  AND ($7::text IS NULL OR ({search_text} ILIKE replace($7, ' ', '%')
      AND ($7 NOT LIKE '% %' OR {search_text} ILIKE $7 OR {spaced_search_text} ILIKE $7)))

-- name: lock_ticket(ticket_id, assignment_id)
-- Locks the ticket, or else the ticket of the assignment, which never changes. Concurrent commands on the ticket wait
-- here. NO KEY still allows the insertion of rows that refer to the ticket.
SELECT FROM service_tickets t
WHERE t.id = coalesce($1, (SELECT a.ticket_id FROM engineer_assignments a WHERE a.id = $2))
FOR NO KEY UPDATE;

-- name: lock_ticket_to_resume(excluded)
-- The ticket with the hold that ended first. Tickets locked by another server or command are skipped.
SELECT t.id
FROM ticket_details d
JOIN service_tickets t ON t.id = d.ticket_id AND t.status = 'on_hold'
WHERE d.hold_until <= (SELECT app_now()) AND t.id <> ALL ($1::text[])
ORDER BY d.hold_until
LIMIT 1
FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: lock_ticket_to_close(excluded, close_after)
-- As above, the ticket that was resolved first.
SELECT t.id
FROM service_tickets t
WHERE t.status = 'resolved' AND t.resolved_at <= (SELECT app_now()) - $2::interval AND t.id <> ALL ($1::text[])
ORDER BY t.resolved_at
LIMIT 1
FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: tickets_by_ids(ticket_ids, visible_to)
SELECT {columns}
FROM service_tickets t
WHERE {is_requested_and_visible};

-- name: ticket_id_by(ticket_id, number, external_source, external_id)
SELECT coalesce(
    $1::text,
    (SELECT t.id FROM service_tickets t WHERE t.ticket_number = $2::text ORDER BY t.created_at DESC, t.id DESC LIMIT 1),
    (SELECT x.ticket_id FROM ticket_external_ids x WHERE x.external_source = $3::text AND x.external_id = $4::text)) AS id;

-- name: external_ids_of_tickets(ticket_ids)
SELECT x.ticket_id, x.external_source AS source, x.external_id AS id
FROM ticket_external_ids x
WHERE x.ticket_id = ANY ($1::text[])
ORDER BY x.ticket_id, x.external_source, x.external_id;

-- name: details_of_tickets(ticket_ids)
-- No row for a ticket without details.
SELECT {details}
FROM ticket_details d
WHERE d.ticket_id = ANY ($1::text[]);

-- name: handover_notes(ticket_ids)
-- Notes for the next engineer since the assignment before the current one began, or since the last one did if there is
-- no current one.
SELECT {notes}
FROM unnest($1::text[]) AS requested (ticket_id)
CROSS JOIN LATERAL (
    SELECT n.*
    FROM ticket_notes n
    WHERE n.ticket_id = requested.ticket_id AND n.for_next_holder
      AND n.recorded_at >= coalesce((
          SELECT a.assigned_at
          FROM engineer_assignments a
          WHERE a.ticket_id = requested.ticket_id AND NOT {assignments.is_active}
          ORDER BY a.assignment_sequence DESC
          LIMIT 1), '-infinity')
    ORDER BY n.recorded_at DESC, n.id
    LIMIT 20
) AS n
ORDER BY n.ticket_id, n.recorded_at, n.id;

-- name: tickets_with_current(ticket_ids, visible_to)
-- One row per ticket with its current assignment and engineer in one round trip.
SELECT {columns_with_assignment}
FROM service_tickets t
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id AND {assignments.is_active}
LEFT JOIN engineers e ON e.id = a.engineer_id
WHERE {is_requested_and_visible};

-- name: tickets_with_history(ticket_ids, visible_to)
-- One row per assignment; one row without an assignment for a ticket that has none.
SELECT {columns_with_assignment}
FROM service_tickets t
LEFT JOIN engineer_assignments a ON a.ticket_id = t.id
LEFT JOIN engineers e ON e.id = a.engineer_id
WHERE {is_requested_and_visible}
ORDER BY t.id, a.assignment_sequence;

-- name: newest_tickets(priorities, after_created_at, after_id, first)
-- Keyset pagination: the row comparison continues in the index where the previous page ended.
SELECT {columns}
FROM service_tickets t
WHERE (t.created_at, t.id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::text, ''))
  AND ($1::text[] IS NULL OR t.priority = ANY ($1))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $4;

-- name: newest_tickets_of_statuses(statuses, priorities, unassigned, after_created_at, after_id, first)
-- Merges one scan of the status index for each status: a rare status costs no more than a common one.
SELECT {columns}
FROM unnest($1::text[]) AS requested (status)
CROSS JOIN LATERAL (
    SELECT {columns}
    FROM service_tickets t
    WHERE t.status = requested.status
      AND (t.created_at, t.id) < (coalesce($4::timestamptz, 'infinity'), coalesce($5::text, ''))
      AND ($2::text[] IS NULL OR t.priority = ANY ($2))
      AND (NOT $3 OR {is_unassigned})
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT $6
) AS t
ORDER BY t.created_at DESC, t.id DESC
LIMIT $6;

-- name: newest_tickets_held_by(statuses, priorities, search, engineer_id, tier, after_created_at, after_id, first)
-- Starts from the active assignments of the engineer because they are few.
SELECT {columns}
{from_held_by}
  AND (t.created_at, t.id) < (coalesce($6::timestamptz, 'infinity'), coalesce($7::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $8;

-- name: newest_assigned_tickets(statuses, priorities, search, tier, after_created_at, after_id, first)
SELECT {columns}
{from_assigned}
  AND (t.created_at, t.id) < (coalesce($5::timestamptz, 'infinity'), coalesce($6::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $7;

-- name: newest_tickets_matching(search, statuses, priorities, unassigned, after_created_at, after_id, first)
-- The search text must equal the expression of the trigram index. A space in the pattern matches any white space: the
-- index finds the words, the second condition checks what is between them, first without the slow regexp_replace.
SELECT {columns}
FROM service_tickets t
WHERE {search_text} ILIKE replace($1, ' ', '%')
  AND ($1 NOT LIKE '% %' OR {search_text} ILIKE $1 OR {spaced_search_text} ILIKE $1)
  AND ($2::text[] IS NULL OR t.status = ANY ($2))
  AND ($3::text[] IS NULL OR t.priority = ANY ($3))
  AND (NOT $4 OR {is_unassigned})
  AND (t.created_at, t.id) < (coalesce($5::timestamptz, 'infinity'), coalesce($6::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $7;

-- name: newest_tickets_of_engineer(visible_to, engineer_id, tier, is_assigned, statuses, priorities, search, after_created_at, after_id, first)
-- Starts from the tickets ever assigned to one engineer because they are few. The other conditions follow.
SELECT {columns}
{from_own}
  AND (t.created_at, t.id) < (coalesce($8::timestamptz, 'infinity'), coalesce($9::text, ''))
ORDER BY t.created_at DESC, t.id DESC
LIMIT $10;

-- name: count_tickets_of_engineer(visible_to, engineer_id, tier, is_assigned, statuses, priorities, search)
SELECT count(*)
{from_own};

-- name: count_tickets_held_by(statuses, priorities, search, engineer_id, tier)
SELECT count(*)
{from_held_by};

-- name: count_assigned_tickets(statuses, priorities, search, tier)
SELECT count(*)
{from_assigned};

-- name: count_tickets(statuses, priorities, search, unassigned)
SELECT count(*)
FROM service_tickets t
WHERE {matches_1_2_3}
  AND (NOT $4 OR {is_unassigned});
