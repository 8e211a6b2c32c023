-- migrate: no-transaction
-- 0008 up: each event says which request and which token it came by, and the hours of an assignment that has
-- ended can be corrected, by an event that keeps what they were.

-- The check is dropped and made anew in one statement.
-- squawk-ignore-file ban-drop-constraint

-- The columns are null for what is there already, and the check is looked at where nobody waits.
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
COMMENT ON COLUMN public.assignment_events.details IS 'What the row does not say: of a correction, the hours before it and the reason.';
-- next
CREATE OR REPLACE FUNCTION keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last public.assignment_events;
BEGIN
    -- The customer's word may come later; how the assignment went may not change any more.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    -- Its hours may, when the newest event of the assignment says exactly this: from what, and to what.
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
