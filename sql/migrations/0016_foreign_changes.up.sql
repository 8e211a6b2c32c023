-- migrate: works with 0.1
-- 0016 up: changes of tickets by SQL of other applications become events. The triggers never fail and change no row of
-- theirs: what cannot be recorded is a row of ticket_event_gaps.

-- Creating a trigger blocks writes for an instant.
-- squawk-ignore-file ban-set-schema
LOCK TABLE public.service_tickets IN SHARE ROW EXCLUSIVE MODE;

ALTER TABLE IF EXISTS baton.ticket_event_gaps SET SCHEMA public;
CREATE TABLE IF NOT EXISTS public.ticket_event_gaps (
    ticket_id text NOT NULL,
    recorded_at timestamptz NOT NULL,
    problem text NOT NULL,
    PRIMARY KEY (ticket_id, recorded_at)
);
COMMENT ON TABLE public.ticket_event_gaps IS 'Changes of tickets by other applications that could not be recorded as events.';

-- The rows are compared as JSON, so that the customer can change, rename and drop his columns. Without sequential scans:
-- a plan made while the tables are small is used for all rows of a large statement.
CREATE OR REPLACE FUNCTION public.record_foreign_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, baton, public, pg_temp SET timezone = 'UTC' SET enable_seqscan = off AS $$
DECLARE
    recorded constant text[] := ARRAY['ticket_number', 'status', 'priority', 'customer_name', 'issue_category',
        'issue_description', 'equipment_id', 'started_at', 'resolved_at', 'closed_at'];
    following constant text[] := ARRAY['waiting_since', 'cancelled_at', 'hold_reason', 'held_by', 'held_at', 'hold_until'];
    before jsonb;
    after jsonb;
    details_before jsonb;
    details_after jsonb;
    ticket text;
    diff jsonb;
    old_status text;
    new_status text;
    needs_engineer boolean;
    word text := 'ticket_updated';
    facts jsonb;
BEGIN
    before := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ELSE '{}' END;
    after := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ELSE '{}' END;
    ticket := coalesce(after ->> 'id', before ->> 'id');
    IF TG_OP = 'DELETE' THEN
        DELETE FROM public.ticket_details d WHERE d.ticket_id = ticket;
        DELETE FROM public.ticket_external_ids x WHERE x.ticket_id = ticket;
        word := 'ticket_deleted';
        facts := jsonb_build_object('ticket_number', before -> 'ticket_number');
    ELSE
        SELECT jsonb_object_agg(c.name, jsonb_build_array(before -> c.name, after -> c.name)) INTO diff
        FROM unnest(recorded) AS c (name)
        WHERE coalesce(before -> c.name, 'null') <> coalesce(after -> c.name, 'null');
        -- A server of the release before has recorded its change of the status, and what follows from it, as an event
        -- of the assignment.
        IF diff ? 'status' AND EXISTS (
            SELECT FROM public.ticket_events e
            WHERE e.ticket_id = ticket AND e.assignment_id IS NOT NULL AND e.xmin = pg_current_xact_id()::xid)
        THEN
            diff := nullif(diff - ARRAY['status', 'started_at', 'resolved_at'], '{}');
        END IF;
        IF diff IS NULL THEN
            RETURN NULL;
        END IF;
        old_status := before ->> 'status';
        new_status := after ->> 'status';
        needs_engineer := new_status IN ('new', 'on_hold')
            AND NOT EXISTS (SELECT FROM current_ticket_assignments c WHERE c.ticket_id = ticket);
        details_before := coalesce((SELECT to_jsonb(d) FROM public.ticket_details d WHERE d.ticket_id = ticket), '{}');
        INSERT INTO public.ticket_details AS d (ticket_id, version, waiting_since, cancelled_at)
        VALUES (ticket, CASE TG_OP WHEN 'INSERT' THEN 1 ELSE 2 END, CASE WHEN needs_engineer THEN app_now() END,
            CASE WHEN new_status = 'cancelled' THEN app_now() END)
        ON CONFLICT (ticket_id) DO UPDATE
        SET version = d.version + 1,
            waiting_since = CASE WHEN needs_engineer THEN coalesce(d.waiting_since, app_now()) END,
            cancelled_at = CASE WHEN new_status = 'cancelled' THEN coalesce(d.cancelled_at, app_now()) END,
            hold_reason = CASE WHEN new_status = 'on_hold' THEN d.hold_reason END,
            held_by = CASE WHEN new_status = 'on_hold' THEN d.held_by END,
            held_at = CASE WHEN new_status = 'on_hold' THEN d.held_at END,
            hold_until = CASE WHEN new_status = 'on_hold' THEN d.hold_until END
        RETURNING to_jsonb(d) INTO details_after;
        diff := diff || coalesce((
            SELECT jsonb_object_agg(c.name, jsonb_build_array(details_before -> c.name, details_after -> c.name))
            FROM unnest(following) AS c (name)
            WHERE coalesce(details_before -> c.name, 'null') <> coalesce(details_after -> c.name, 'null')), '{}');
        IF TG_OP = 'INSERT' THEN
            word := 'ticket_created';
        ELSIF diff ? 'status' THEN
            word := CASE
                WHEN new_status = 'on_hold' THEN 'ticket_held'
                WHEN new_status = 'resolved' THEN 'ticket_resolved'
                WHEN new_status = 'closed' THEN 'ticket_closed'
                WHEN new_status = 'cancelled' THEN 'ticket_cancelled'
                WHEN old_status = 'on_hold' THEN 'ticket_resumed'
                WHEN old_status IN ('resolved', 'closed', 'cancelled') THEN 'ticket_reopened'
                ELSE word END;
            facts := jsonb_build_object('status_before', old_status, 'status', new_status);
        END IF;
    END IF;
    INSERT INTO public.ticket_events (ticket_id, type, actor, source, recorded_at, details, changes, ticket_version)
    VALUES (ticket, word, 'database:' || session_user, 'other_application', app_now(), facts, diff, (details_after ->> 'version')::int);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    BEGIN
        INSERT INTO public.ticket_event_gaps (ticket_id, recorded_at, problem)
        VALUES (coalesce(ticket, '?'), clock_timestamp(), SQLERRM);
    EXCEPTION WHEN OTHERS THEN
        RAISE LOG 'a change of ticket % is not recorded: %', ticket, SQLERRM;
    END;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION public.record_foreign_change() FROM PUBLIC;

-- Deferred, because the id of an event must be young when it becomes visible, and other transactions may take hours.
-- Our own statements set baton.own_change. *<> compares rows of any type.
CREATE CONSTRAINT TRIGGER foreign_insert_is_recorded AFTER INSERT ON public.service_tickets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (current_setting('baton.own_change', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION public.record_foreign_change();
CREATE CONSTRAINT TRIGGER foreign_update_is_recorded AFTER UPDATE ON public.service_tickets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (current_setting('baton.own_change', true) IS DISTINCT FROM 'on' AND OLD *<> NEW)
    EXECUTE FUNCTION public.record_foreign_change();
CREATE CONSTRAINT TRIGGER foreign_delete_is_recorded AFTER DELETE ON public.service_tickets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (current_setting('baton.own_change', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION public.record_foreign_change();

-- Lets the server's roles count the gaps.
DO $$
DECLARE role text;
BEGIN
    FOR role IN
        SELECT DISTINCT quote_ident(r.rolname) FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.oid = 'public.ticket_events'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT SELECT ON public.ticket_event_gaps TO %s', role);
    END LOOP;
END $$;
