-- 0002 up: engineer_assignments becomes the only record of who holds a ticket.

-- Time comes from the database, after the lock was granted, and tests move it:
-- SET LOCAL app.now = '2030-01-01Z'.
CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(nullif(current_setting('app.now', true), '')::timestamptz, clock_timestamp())
$$;

ALTER TABLE engineer_assignments
    ADD COLUMN assignment_sequence int,
    ADD COLUMN assignment_reason text,
    ADD COLUMN rejection_reason text,
    ADD COLUMN escalation_reason text,
    ADD COLUMN cancellation_reason text,
    ADD COLUMN completion_status text,
    ADD COLUMN time_spent_hours numeric(5, 2),
    ADD COLUMN notes text,
    -- legacy: was here before this migration. backfill: made by it from the old columns.
    ADD COLUMN origin text NOT NULL DEFAULT 'legacy';
ALTER TABLE engineer_assignments ALTER COLUMN origin SET DEFAULT 'live';

-- Of several active rows the newest stays; the others end here, and say so.
UPDATE engineer_assignments a
SET status = 'cancelled', completed_at = coalesce(a.updated_at, a.created_at, now()),
    cancellation_reason = 'A later assignment was active (migration)'
FROM (
    SELECT id, row_number() OVER (
        PARTITION BY ticket_id ORDER BY assigned_at DESC NULLS LAST, created_at DESC NULLS LAST, id) AS age
    FROM engineer_assignments
    WHERE status IN ('assigned', 'accepted', 'in_progress')
) AS ranked
WHERE ranked.id = a.id AND ranked.age > 1;

-- An old row tells as much as it knows; what it cannot know stays null.
UPDATE engineer_assignments a
SET status = coalesce(a.status, 'assigned'),
    assignment_type = coalesce(a.assignment_type, 'manual'),
    assignment_tier = coalesce(a.assignment_tier, 1),
    assigned_at = coalesce(a.assigned_at, a.created_at, t.created_at),
    created_at = coalesce(a.created_at, a.assigned_at, t.created_at),
    updated_at = coalesce(a.updated_at, a.created_at, a.assigned_at, t.created_at)
FROM service_tickets t
WHERE t.id = a.ticket_id;

-- The old columns become a row where the engineer is known and does not hold the ticket already.
INSERT INTO engineer_assignments (
    ticket_id, engineer_id, equipment_id, assignment_tier, assignment_tier_name, assignment_reason,
    assignment_type, status, assigned_by, assigned_at, started_at, completed_at, cancellation_reason,
    origin, created_at, updated_at)
SELECT t.id, e.id, t.equipment_id, coalesce(t.assignment_tier, 1), t.assignment_tier_name,
    'Initial (migrated)', 'manual', s.status, 'system:migration', coalesce(t.assigned_at, t.created_at),
    CASE WHEN s.status <> 'assigned' THEN t.started_at END,
    CASE WHEN s.status IN ('completed', 'cancelled') THEN coalesce(t.resolved_at, t.closed_at, t.updated_at) END,
    CASE WHEN s.status = 'cancelled' THEN 'The ticket was cancelled (migrated)' END,
    'backfill', t.created_at, t.updated_at
FROM service_tickets t
JOIN engineers e ON e.id::text = lower(btrim(t.assigned_engineer_id))
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN t.status IN ('resolved', 'closed') THEN 'completed'
        WHEN t.status = 'cancelled' THEN 'cancelled'
        WHEN t.status IN ('in_progress', 'on_hold') THEN 'in_progress'
        ELSE 'assigned' END AS status
) AS s
LEFT JOIN LATERAL (
    SELECT a.engineer_id FROM engineer_assignments a WHERE a.ticket_id = t.id
    ORDER BY a.status IN ('assigned', 'accepted', 'in_progress') DESC, a.assigned_at DESC, a.created_at DESC, a.id
    LIMIT 1
) AS latest ON true
WHERE latest.engineer_id IS DISTINCT FROM e.id
  AND NOT EXISTS (
    SELECT FROM engineer_assignments a
    WHERE a.ticket_id = t.id AND a.status IN ('assigned', 'accepted', 'in_progress'));

UPDATE engineer_assignments a
SET assignment_sequence = numbered.sequence,
    assignment_tier_name = coalesce(a.assignment_tier_name, 'Tier ' || a.assignment_tier)
FROM (
    SELECT id, row_number() OVER (PARTITION BY ticket_id ORDER BY assigned_at, created_at, id) AS sequence
    FROM engineer_assignments
) AS numbered
WHERE numbered.id = a.id;

ALTER TABLE engineer_assignments
    ALTER COLUMN assignment_sequence SET NOT NULL,
    ALTER COLUMN assignment_tier SET NOT NULL,
    ALTER COLUMN assignment_tier_name SET NOT NULL,
    ALTER COLUMN assignment_type SET NOT NULL,
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN assigned_at SET NOT NULL,
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN updated_at SET NOT NULL,
    ADD CONSTRAINT engineer_assignments_sequence_once UNIQUE (ticket_id, assignment_sequence),
    ADD CONSTRAINT chk_assignment_sequence CHECK (assignment_sequence >= 1),
    ADD CONSTRAINT chk_assignment_tier CHECK (assignment_tier >= 1),
    ADD CONSTRAINT chk_assignment_type CHECK (assignment_type IN ('auto', 'manual', 'escalation', 'reassignment')),
    ADD CONSTRAINT chk_status CHECK (status IN (
        'assigned', 'accepted', 'in_progress', 'completed', 'failed', 'rejected', 'escalated', 'cancelled')),
    ADD CONSTRAINT chk_completion_status CHECK (completion_status IN (
        'success', 'failed', 'escalated', 'parts_required', 'customer_unavailable')),
    ADD CONSTRAINT chk_time_spent_hours CHECK (time_spent_hours >= 0),
    ADD CONSTRAINT chk_parts_used CHECK (origin <> 'live' OR jsonb_typeof(parts_used) = 'array'),
    ADD CONSTRAINT chk_origin CHECK (origin IN ('live', 'legacy', 'backfill')),
    -- Old rows could not know these; every row written since must.
    ADD CONSTRAINT chk_status_has_its_facts CHECK (origin <> 'live' OR CASE status
        WHEN 'assigned' THEN num_nonnulls(accepted_at, rejected_at, started_at, completed_at, completion_status) = 0
        WHEN 'accepted' THEN accepted_at IS NOT NULL
            AND num_nonnulls(rejected_at, started_at, completed_at, completion_status) = 0
        WHEN 'in_progress' THEN num_nonnulls(accepted_at, started_at) = 2
            AND num_nonnulls(rejected_at, completed_at, completion_status) = 0
        WHEN 'completed' THEN num_nonnulls(accepted_at, completed_at, time_spent_hours, completion_status) = 4
            AND completion_status IN ('success', 'parts_required', 'customer_unavailable')
        WHEN 'failed' THEN num_nonnulls(accepted_at, completed_at, time_spent_hours, completion_status) = 4
            AND completion_status = 'failed'
        WHEN 'escalated' THEN num_nonnulls(completed_at, escalation_reason, completion_status) = 3
            AND completion_status = 'escalated'
        WHEN 'rejected' THEN num_nonnulls(rejected_at, rejection_reason) = 2
            AND num_nonnulls(completed_at, completion_status) = 0
        WHEN 'cancelled' THEN num_nonnulls(completed_at, cancellation_reason) = 2 AND completion_status IS NULL
        END);

-- One current assignment for a ticket at most: the word "active" as everybody means it.
CREATE UNIQUE INDEX engineer_assignments_one_active ON engineer_assignments (ticket_id)
    WHERE status IN ('assigned', 'accepted', 'in_progress');
CREATE INDEX engineer_assignments_engineer_active ON engineer_assignments (engineer_id, ticket_id)
    WHERE status IN ('assigned', 'accepted', 'in_progress');
CREATE INDEX engineer_assignments_tier_active ON engineer_assignments (assignment_tier, ticket_id)
    WHERE status IN ('assigned', 'accepted', 'in_progress');
CREATE INDEX engineer_assignments_engineer ON engineer_assignments (engineer_id, assigned_at DESC, id DESC);

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX service_tickets_newest ON service_tickets (created_at DESC, id DESC);
CREATE INDEX service_tickets_status_newest ON service_tickets (status, created_at DESC, id DESC);
CREATE INDEX service_tickets_search ON service_tickets USING gin (
    (ticket_number || ' ' || coalesce(customer_name, '') || ' ' || coalesce(issue_category, '')) gin_trgm_ops);
CREATE INDEX engineers_by_name ON engineers (name, id);

CREATE FUNCTION keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The customer's word may come later; how the assignment went may not change any more.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'assignment % has ended as % and does not change', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ended_assignment_is_kept';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ended_assignment_is_kept AFTER UPDATE ON engineer_assignments
    FOR EACH ROW WHEN (OLD.status IN ('completed', 'failed', 'rejected', 'escalated', 'cancelled'))
    EXECUTE FUNCTION keep_ended_assignment();

CREATE TABLE assignment_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id varchar(64) NOT NULL REFERENCES service_tickets (id),
    assignment_id uuid NOT NULL REFERENCES engineer_assignments (id),
    type text NOT NULL CHECK (type IN (
        'assigned', 'accepted', 'rejected', 'started', 'completed', 'failed', 'escalated', 'reassigned',
        'cancelled', 'rated')),
    actor text NOT NULL,
    occurred_at timestamptz NOT NULL,
    assignment jsonb NOT NULL
);
CREATE INDEX assignment_events_ticket ON assignment_events (ticket_id, id);
COMMENT ON TABLE assignment_events IS 'What happened to which assignment, who did it, and the row as it was afterwards. Append only.';

CREATE TABLE idempotency_keys (
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    event_id bigint NOT NULL REFERENCES assignment_events (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (actor, key)
);
COMMENT ON TABLE idempotency_keys IS 'The change that a key has made, so that a repeat changes nothing and answers the same.';

CREATE VIEW current_ticket_assignments AS
SELECT a.ticket_id, a.engineer_id, a.assignment_sequence, a.assignment_tier, a.status, a.assigned_at,
    a.completed_at, a.id, a.assignment_tier_name, e.name AS engineer_name, a.accepted_at, a.started_at
FROM engineer_assignments a
JOIN engineers e ON e.id = a.engineer_id
WHERE a.status IN ('assigned', 'accepted', 'in_progress');

COMMENT ON TABLE engineer_assignments IS 'Complete assignment history for service tickets.
Tracks all engineers assigned to a ticket including escalations.
Current assignment is the one row where status IN (assigned, accepted, in_progress).';
COMMENT ON COLUMN engineer_assignments.assignment_sequence IS '1, 2, 3 … within a ticket, in the order given.';
COMMENT ON COLUMN engineer_assignments.completed_at IS 'When it was completed, failed, was escalated or was cancelled.';
COMMENT ON COLUMN service_tickets.assigned_engineer_id IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
COMMENT ON COLUMN service_tickets.assigned_engineer_name IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
COMMENT ON COLUMN service_tickets.assignment_tier IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
COMMENT ON COLUMN service_tickets.assignment_tier_name IS
'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';
