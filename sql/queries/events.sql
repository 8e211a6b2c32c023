-- fragment: own_columns
e.id, e.type, e.ticket_id, e.actor, e.source, e.recorded_at, e.ticket_version, e.changes, e.details

-- fragment: columns
{own_columns},
ARRAY(SELECT DISTINCT own.engineer_id FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id)
    AS ticket_engineers,
{assignments.columns}

-- fragment: with_assignment
-- Null for an event of the ticket.
CROSS JOIN LATERAL jsonb_populate_record(NULL::engineer_assignments, e.assignment) AS a

-- fragment: is_selected_by_3_4_5_6
($3::text IS NULL OR e.ticket_id = $3)
AND ($4::uuid IS NULL OR e.assignment ->> 'engineer_id' = ($4::uuid)::text)
AND ($5::uuid IS NULL OR EXISTS (
    SELECT FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id AND own.engineer_id = $5))
AND ($6::text[] IS NULL OR e.type = ANY ($6))

-- name: oldest_of_tickets(ticket_ids, types, after_id, first)
-- Without the engineers of the ticket, which only subscriptions need. The table is named, so that it is locked.
SELECT {own_columns}, ARRAY(
        SELECT own.engineer_id FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id AND false) AS ticket_engineers,
    {assignments.columns}
FROM unnest($1::text[]) AS requested (ticket_id)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM ticket_events e
    WHERE e.ticket_id = requested.ticket_id AND e.id > coalesce($3::bigint, 0)
      AND ($2::text[] IS NULL OR e.type = ANY ($2))
    ORDER BY e.id
    LIMIT $4
) AS e
{with_assignment}
ORDER BY e.ticket_id, e.id;

-- name: newest_of_tickets(ticket_ids, types, before_id, first)
-- As above.
SELECT {own_columns}, ARRAY(
        SELECT own.engineer_id FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id AND false) AS ticket_engineers,
    {assignments.columns}
FROM unnest($1::text[]) AS requested (ticket_id)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM ticket_events e
    WHERE e.ticket_id = requested.ticket_id AND e.id < coalesce($3::bigint, 9223372036854775807)
      AND ($2::text[] IS NULL OR e.type = ANY ($2))
    ORDER BY e.id DESC
    LIMIT $4
) AS e
{with_assignment}
ORDER BY e.ticket_id, e.id DESC;

-- name: count_of_tickets(ticket_ids, types)
SELECT e.ticket_id, count(*) AS events
FROM ticket_events e
WHERE e.ticket_id = ANY ($1::text[]) AND ($2::text[] IS NULL OR e.type = ANY ($2))
GROUP BY e.ticket_id;

-- fragment: is_audited_by_1_to_6
e.recorded_at >= $1 AND e.recorded_at < $2
AND ($3::text IS NULL OR e.actor = $3)
AND ($4::text IS NULL OR e.ticket_id = $4)
AND ($5::uuid IS NULL OR e.assignment ->> 'engineer_id' = ($5::uuid)::text)
AND ($6::text[] IS NULL OR e.type = ANY ($6))

-- name: audit_records(recorded_from, recorded_until, actor, ticket_id, engineer_id, types, before_id, first)
-- Only the partitions of the period are read.
SELECT e.request_id, e.token_id, {own_columns}, ARRAY(
        SELECT own.engineer_id FROM engineer_assignments own WHERE own.ticket_id = e.ticket_id AND false) AS ticket_engineers,
    {assignments.columns}
FROM ticket_events e
{with_assignment}
WHERE {is_audited_by_1_to_6} AND e.id < coalesce($7::bigint, 9223372036854775807)
ORDER BY e.id DESC
LIMIT $8;

-- name: count_audit_records(recorded_from, recorded_until, actor, ticket_id, engineer_id, types)
SELECT count(*)
FROM ticket_events e
WHERE {is_audited_by_1_to_6};

-- name: assignment_of_event(event_id)
-- As it is now, not as it was after the event.
SELECT {assignments.columns}
FROM ticket_events e
JOIN engineer_assignments a ON a.id = e.assignment_id AND a.ticket_id = e.ticket_id
WHERE e.id = $1;

-- name: note_of_event(event_id)
SELECT {tickets.notes}
FROM ticket_events e
JOIN ticket_notes n ON n.ticket_id = e.ticket_id AND n.id = (e.details ->> 'note_id')::uuid
WHERE e.id = $1 AND e.type = 'note_added';

-- name: changes_since_version(ticket_id, version)
SELECT e.ticket_version, ARRAY(SELECT jsonb_object_keys(e.changes)) AS columns
FROM ticket_events e
WHERE e.ticket_id = $1 AND e.ticket_version > $2 AND e.changes IS NOT NULL
ORDER BY e.id;

-- name: events_in_ranges(first_ids, last_ids, ticket_id, engineer_id, visible_to, types, max_rows)
-- Events with an id in one of the ranges, both ends included, ordered by id.
SELECT {columns}
FROM unnest($1::bigint[], $2::bigint[]) AS requested (first_id, last_id)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM ticket_events e
    WHERE e.id BETWEEN requested.first_id AND requested.last_id
      AND {is_selected_by_3_4_5_6}
    ORDER BY e.id
    LIMIT $7
) AS e
{with_assignment}
ORDER BY e.id
LIMIT $7;

-- name: event_ids_in_ranges(first_ids, last_ids, ticket_id, engineer_id, visible_to, types, max_rows)
-- As events_in_ranges, without the rows, one of which may be unreadable.
SELECT e.id
FROM unnest($1::bigint[], $2::bigint[]) AS requested (first_id, last_id)
JOIN ticket_events e ON e.id BETWEEN requested.first_id AND requested.last_id
WHERE {is_selected_by_3_4_5_6}
ORDER BY e.id
LIMIT $7;

-- name: event_id_bounds()
-- The highest id taken from the sequence, and the highest id in a partition dropped by retention; 0 for none.
SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS newest, d.last_id AS dropped
FROM assignment_events_id_seq s
CROSS JOIN dropped_events d;

-- name: next_transaction_id()
-- Every transaction that had taken an event id before has a lower id: it has written, or locked a row.
SELECT pg_current_xact_id()::text::bigint;

-- name: oldest_running_transaction_id()
-- Every transaction with a lower id has ended, and what it committed is visible.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
