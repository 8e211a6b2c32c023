-- name: new_ticket_snapshot(actor, idempotency_key, external_source, external_id, equipment_id, follow_up_of, ticket_number)
-- Everything that the creation of a ticket depends on.
SELECT app_now() AS now,
    k.request_hash,
    (SELECT e.ticket_id FROM ticket_events e WHERE e.id = k.event_id AND e.type = 'ticket_created') AS ticket_of_key,
    (SELECT x.ticket_id FROM ticket_external_ids x WHERE x.external_source = $3::text AND x.external_id = $4::text)
        AS ticket_with_external_id,
    (SELECT t.id FROM service_tickets t WHERE t.ticket_number = $7::text LIMIT 1) AS ticket_with_number,
    EXISTS (SELECT FROM equipment q WHERE q.id = $5::text) AS equipment_exists,
    (SELECT t.status FROM service_tickets t WHERE t.id = $6::text) AS followed_status
FROM (SELECT) AS always
LEFT JOIN LATERAL (
    -- The key may be stored in two daily partitions, with the same content.
    SELECT stored.request_hash, stored.event_id
    FROM idempotency_keys stored
    WHERE stored.actor = $1::text AND stored.key = $2::text
    LIMIT 1
) AS k ON true;

-- name: insert_ticket(ticket, details, ticket_number, changes, external_source, external_id, actor, source, request_id, token_id, idempotency_key, request_hash)
-- Inserts the ticket and all that belongs to it, and returns its number. Inserts nothing if a ticket has the number.
-- Concurrent duplicates conflict in the keys of ticket_details, ticket_external_ids and idempotency_keys.
WITH numbered AS MATERIALIZED (
    SELECT coalesce($3::text, 'TKT-' || lpad(nextval('ticket_numbers')::text, 6, '0')) AS number
), free AS MATERIALIZED (
    -- The setting tells the triggers for other applications that this change is ours.
    SELECT n.number FROM numbered n
    WHERE set_config('baton.own_change', 'on', true) = 'on'
      AND NOT EXISTS (SELECT FROM service_tickets t WHERE t.ticket_number = n.number)
), inserted_ticket AS (
    INSERT INTO service_tickets (
        id, ticket_number, status, priority, customer_name, issue_category, issue_description, equipment_id, created_at,
        updated_at)
    SELECT r.id, free.number, r.status, r.priority, r.customer_name, r.issue_category, r.issue_description,
        r.equipment_id, r.created_at, r.updated_at
    FROM free
    CROSS JOIN jsonb_populate_record(NULL::service_tickets, $1::jsonb) AS r
    RETURNING id, ticket_number, created_at
), inserted_details AS (
    INSERT INTO ticket_details (
        ticket_id, version, contact_name, contact_phone, site_address, waiting_since, follow_up_of, created_number)
    SELECT t.id, r.version, r.contact_name, r.contact_phone, r.site_address, r.waiting_since, r.follow_up_of,
        t.ticket_number
    FROM inserted_ticket t
    CROSS JOIN jsonb_populate_record(NULL::ticket_details, $2::jsonb) AS r
), inserted_external_id AS (
    INSERT INTO ticket_external_ids (external_source, external_id, ticket_id, created_at)
    SELECT $5::text, $6::text, t.id, t.created_at FROM inserted_ticket t WHERE $5::text IS NOT NULL
), inserted_event AS (
    INSERT INTO ticket_events (
        ticket_id, type, actor, source, recorded_at, request_id, token_id, changes, ticket_version)
    SELECT t.id, 'ticket_created', $7::text, $8::text, t.created_at, $9::text, $10::text,
        $4::jsonb || jsonb_build_object('ticket_number', jsonb_build_array(NULL, t.ticket_number)), 1
    FROM inserted_ticket t
    RETURNING id, recorded_at
), inserted_key AS (
    -- The clock may have been set back since the time was read: a key must not end before it began.
    INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at, day)
    SELECT $7::text, $11::text, $12::bytea, e.id, e.recorded_at, (greatest(app_now(), e.recorded_at) AT TIME ZONE 'UTC')::date
    FROM inserted_event e
    WHERE $11::text IS NOT NULL
)
SELECT t.ticket_number FROM inserted_ticket t;
