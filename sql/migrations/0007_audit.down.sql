-- 0007 down: the recorded hours can no longer be corrected. The audit columns and their values stay: older releases
-- ignore them.

-- Has no effect unless the up file was interrupted.
ALTER TABLE public.assignment_events VALIDATE CONSTRAINT assignment_events_type_check;
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
