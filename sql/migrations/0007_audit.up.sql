-- migrate: no-transaction, works with 0.1
-- 0007 up: each event records the request and the token that caused it. The hours of an ended assignment can be
-- corrected, with an event that keeps the previous value.

-- One statement drops the check and adds it again.
-- squawk-ignore-file ban-drop-constraint

-- Existing events have no values, and the check is validated later, without blocking writes.
ALTER TABLE public.assignment_events
    ADD COLUMN IF NOT EXISTS request_id text,
    ADD COLUMN IF NOT EXISTS token_id text,
    ADD COLUMN IF NOT EXISTS details jsonb,
    DROP CONSTRAINT IF EXISTS assignment_events_type_check,
    ADD CONSTRAINT assignment_events_type_check CHECK (type IN (
        'assigned', 'accepted', 'rejected', 'started', 'completed', 'failed', 'escalated', 'reassigned',
        'cancelled', 'rated', 'hours_corrected', 'overdue')) NOT VALID;
-- next
ALTER TABLE public.assignment_events VALIDATE CONSTRAINT assignment_events_type_check;
-- next
COMMENT ON COLUMN public.assignment_events.details IS 'Data that is not in the assignment row. For a correction: the previous hours and the reason.';
-- next
CREATE OR REPLACE FUNCTION keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last public.assignment_events;
BEGIN
    -- Only the customer's rating may come later; how the assignment ended is final.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    -- The hours may change if the newest event of the assignment records exactly this correction.
    IF NEW.time_spent_hours IS DISTINCT FROM OLD.time_spent_hours THEN
        SELECT e.* INTO last FROM public.assignment_events e
        WHERE e.ticket_id = OLD.ticket_id AND e.assignment_id = OLD.id
        ORDER BY e.id DESC LIMIT 1;
        IF last.type = 'hours_corrected'
            AND (last.details->>'time_spent_hours_before')::numeric IS NOT DISTINCT FROM OLD.time_spent_hours
            AND (last.assignment->>'time_spent_hours')::numeric IS NOT DISTINCT FROM NEW.time_spent_hours
        THEN
            NEW.time_spent_hours := OLD.time_spent_hours;
        END IF;
    END IF;
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'assignment % has ended as % and does not change', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ended_assignment_is_kept';
    END IF;
    RETURN NULL;
END $$;
