-- migrate: works with 0.1
-- 0002 up: the assignment history of every ticket, beside the old tables.
--
-- The history is a new table in its own schema, baton.engineer_assignments. The old table of that name is not
-- changed, so the old application keeps working and going back is exact. The new application has schema baton first
-- in its search path. Migration 0006 replaces the old table with the new one.

-- Take all locks that the foreign keys need at once, and briefly.
LOCK TABLE service_tickets IN SHARE ROW EXCLUSIVE MODE;
-- NOWAIT: do not queue for these while holding the first lock; the migrator retries.
LOCK TABLE engineers, equipment IN SHARE ROW EXCLUSIVE MODE NOWAIT;

CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- Restore the history that an earlier down has kept.
DO $$ BEGIN
    IF to_regnamespace('baton_kept') IS NOT NULL THEN
        ALTER SCHEMA baton_kept RENAME TO baton;
        ALTER TABLE baton.assignment_events SET SCHEMA public;
        ALTER TABLE baton.idempotency_keys SET SCHEMA public;
        ALTER FUNCTION baton.app_now() SET SCHEMA public;
        ALTER FUNCTION baton.keep_ended_assignment() SET SCHEMA public;
    END IF;
END $$;
-- The migrator has checked that the names in schema public are free, and recognises its schemas by their comments.
CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';

-- The current time, read after locks were granted. Tests set it: SET LOCAL app.now = '2030-01-01Z'.
CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(nullif(current_setting('app.now', true), '')::timestamptz, clock_timestamp())
$$;

CREATE TABLE IF NOT EXISTS baton.engineer_assignments (
    id uuid CONSTRAINT engineer_assignments_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket_id varchar(64) NOT NULL,
    engineer_id uuid NOT NULL,
    equipment_id varchar(64),
    assignment_sequence int NOT NULL,
    assignment_tier int NOT NULL,
    assignment_tier_name text NOT NULL,
    assignment_reason text,
    assignment_type text NOT NULL DEFAULT 'manual',
    status text NOT NULL DEFAULT 'assigned',
    assigned_by text,
    assigned_at timestamptz NOT NULL DEFAULT app_now(),
    accepted_at timestamptz,
    rejected_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    rejection_reason text,
    escalation_reason text,
    cancellation_reason text,
    completion_status text,
    time_spent_hours numeric(5, 2),
    diagnosis text,
    actions_taken text,
    parts_used jsonb NOT NULL DEFAULT '[]',
    notes text,
    customer_rating int,
    customer_feedback text,
    origin text NOT NULL DEFAULT 'live',
    created_at timestamptz NOT NULL DEFAULT app_now(),
    updated_at timestamptz NOT NULL DEFAULT app_now(),
    CONSTRAINT engineer_assignments_sequence_once UNIQUE (ticket_id, assignment_sequence),
    CONSTRAINT chk_assignment_sequence CHECK (assignment_sequence >= 1),
    CONSTRAINT chk_assignment_tier CHECK (assignment_tier >= 1),
    CONSTRAINT chk_assignment_type CHECK (assignment_type IN ('auto', 'manual', 'escalation', 'reassignment')),
    CONSTRAINT chk_status CHECK (status IN (
        'assigned', 'accepted', 'in_progress', 'completed', 'failed', 'rejected', 'escalated', 'cancelled')),
    CONSTRAINT chk_completion_status CHECK (completion_status IN (
        'success', 'failed', 'escalated', 'parts_required', 'customer_unavailable')),
    CONSTRAINT chk_time_spent_hours CHECK (time_spent_hours >= 0),
    CONSTRAINT chk_customer_rating CHECK (customer_rating BETWEEN 1 AND 5),
    CONSTRAINT chk_parts_used CHECK (jsonb_typeof(parts_used) = 'array'),
    CONSTRAINT chk_origin CHECK (origin IN ('live', 'legacy', 'backfill')),
    -- Rows of the old application lack some of these; rows created by the new one must have them.
    CONSTRAINT chk_status_has_its_facts CHECK (origin <> 'live' OR CASE status
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
        END)
);
COMMENT ON TABLE baton.engineer_assignments IS 'Complete assignment history for service tickets.
Tracks all engineers assigned to a ticket including escalations.
Current assignment is the one row where status IN (assigned, accepted, in_progress).';
COMMENT ON COLUMN baton.engineer_assignments.assignment_sequence IS '1, 2, 3 … within a ticket, in the order of creation.';
COMMENT ON COLUMN baton.engineer_assignments.completed_at IS 'When the assignment was completed, failed, escalated or cancelled.';
COMMENT ON COLUMN baton.engineer_assignments.origin IS 'live: created by the new application. legacy: from the old table, or changed by the old application. backfill: created from the old columns of the ticket. Only live rows count in response times.';

-- A ticket has at most one active assignment.
CREATE UNIQUE INDEX IF NOT EXISTS engineer_assignments_one_active ON baton.engineer_assignments (ticket_id)
    WHERE status IN ('assigned', 'accepted', 'in_progress');
CREATE INDEX IF NOT EXISTS engineer_assignments_engineer_active ON baton.engineer_assignments (engineer_id, ticket_id)
    WHERE status IN ('assigned', 'accepted', 'in_progress');
CREATE INDEX IF NOT EXISTS engineer_assignments_tier_active ON baton.engineer_assignments (assignment_tier, ticket_id)
    WHERE status IN ('assigned', 'accepted', 'in_progress');
CREATE INDEX IF NOT EXISTS engineer_assignments_engineer ON baton.engineer_assignments (engineer_id, assigned_at DESC, id DESC);

CREATE OR REPLACE FUNCTION keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only the customer's rating may come later; how the assignment ended is final.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'assignment % has ended as % and does not change', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ended_assignment_is_kept';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ended_assignment_is_kept AFTER UPDATE ON baton.engineer_assignments
    FOR EACH ROW WHEN (OLD.status IN ('completed', 'failed', 'rejected', 'escalated', 'cancelled'))
    EXECUTE FUNCTION keep_ended_assignment();

CREATE TABLE IF NOT EXISTS assignment_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id varchar(64) NOT NULL,
    assignment_id uuid NOT NULL REFERENCES baton.engineer_assignments (id),
    type text NOT NULL CHECK (type IN (
        'assigned', 'accepted', 'rejected', 'started', 'completed', 'failed', 'escalated', 'reassigned',
        'cancelled', 'rated')),
    actor text NOT NULL,
    occurred_at timestamptz NOT NULL,
    assignment jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS assignment_events_ticket ON assignment_events (ticket_id, id);
COMMENT ON TABLE assignment_events IS 'Audit log: each change of an assignment, who made it, and the row afterwards. Append only.';

CREATE TABLE IF NOT EXISTS idempotency_keys (
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    event_id bigint NOT NULL REFERENCES assignment_events (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (actor, key)
);
COMMENT ON TABLE idempotency_keys IS 'Maps an idempotency key to the change it made, so that a repeat changes nothing and returns the same result.';

-- The down file drops these, because the old application may delete rows. A restored history may be large, so the
-- next migration validates them without blocking writes.
ALTER TABLE baton.engineer_assignments
    ADD CONSTRAINT engineer_assignments_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES service_tickets (id)
        NOT VALID,
    ADD CONSTRAINT engineer_assignments_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES engineers (id) NOT VALID,
    ADD CONSTRAINT engineer_assignments_equipment_id_fkey FOREIGN KEY (equipment_id) REFERENCES equipment (id) NOT VALID;
ALTER TABLE assignment_events
    ADD CONSTRAINT assignment_events_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES service_tickets (id) NOT VALID;

-- In schema public there may be an old view of this name, which the contract replaces.
CREATE VIEW baton.current_ticket_assignments AS
SELECT a.ticket_id, a.engineer_id, a.assignment_sequence, a.assignment_tier, a.status, a.assigned_at,
    a.completed_at, a.id, a.assignment_tier_name, e.name AS engineer_name, a.accepted_at, a.started_at
FROM baton.engineer_assignments a
JOIN engineers e ON e.id = a.engineer_id
WHERE a.status IN ('assigned', 'accepted', 'in_progress');

CREATE VIEW service_tickets_compat AS
SELECT t.id,
    last.engineer_id::text AS assigned_engineer_id,
    e.name AS assigned_engineer_name,
    last.assignment_tier,
    last.assignment_tier_name,
    last.assigned_at
FROM service_tickets t
LEFT JOIN LATERAL (
    SELECT a.engineer_id, a.assignment_tier, a.assignment_tier_name, a.assigned_at, a.status
    FROM baton.engineer_assignments a
    WHERE a.ticket_id = t.id
    -- The current assignment first: the old table may have newer rows that have ended.
    ORDER BY a.status IN ('assigned', 'accepted', 'in_progress') DESC, a.assignment_sequence DESC
    LIMIT 1
) AS last ON last.status IN ('assigned', 'accepted', 'in_progress', 'completed')
LEFT JOIN engineers e ON e.id = last.engineer_id;
COMMENT ON VIEW service_tickets_compat IS 'The old columns of service_tickets for existing readers: the engineer of the current or the completed assignment.';
