-- 0008 down: hours do not change any more. What the events say stays: it tells who did what, and no release minds it.
CREATE OR REPLACE FUNCTION keep_ended_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
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
