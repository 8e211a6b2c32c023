-- The schema after all migrations. Made by `make fix`; compared in tests.

CREATE SCHEMA public;

COMMENT ON SCHEMA public IS 'standard public schema';

CREATE FUNCTION public.app_now() RETURNS timestamp with time zone
    LANGUAGE sql
    AS $$
    SELECT coalesce(nullif(current_setting('app.now', true), '')::timestamptz, clock_timestamp())
$$;

CREATE TABLE public.engineer_assignments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    ticket_id character varying(64) NOT NULL,
    engineer_id uuid NOT NULL,
    equipment_id character varying(64),
    assignment_sequence integer NOT NULL,
    assignment_tier integer NOT NULL,
    assignment_tier_name text NOT NULL,
    assignment_reason text,
    assignment_type text DEFAULT 'manual'::text NOT NULL,
    status text DEFAULT 'assigned'::text NOT NULL,
    assigned_by text,
    assigned_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    accepted_at timestamp with time zone,
    rejected_at timestamp with time zone,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    rejection_reason text,
    escalation_reason text,
    cancellation_reason text,
    completion_status text,
    time_spent_hours numeric(5,2),
    diagnosis text,
    actions_taken text,
    parts_used jsonb DEFAULT '[]'::jsonb NOT NULL,
    notes text,
    customer_rating integer,
    customer_feedback text,
    origin text DEFAULT 'live'::text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    updated_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT chk_assignment_sequence CHECK ((assignment_sequence >= 1)),
    CONSTRAINT chk_assignment_tier CHECK ((assignment_tier >= 1)),
    CONSTRAINT chk_assignment_type CHECK ((assignment_type = ANY (ARRAY['auto'::text, 'manual'::text, 'escalation'::text, 'reassignment'::text]))),
    CONSTRAINT chk_completion_status CHECK ((completion_status = ANY (ARRAY['success'::text, 'failed'::text, 'escalated'::text, 'parts_required'::text, 'customer_unavailable'::text]))),
    CONSTRAINT chk_customer_rating CHECK (((customer_rating >= 1) AND (customer_rating <= 5))),
    CONSTRAINT chk_origin CHECK ((origin = ANY (ARRAY['live'::text, 'legacy'::text, 'backfill'::text]))),
    CONSTRAINT chk_parts_used CHECK ((jsonb_typeof(parts_used) = 'array'::text)),
    CONSTRAINT chk_status CHECK ((status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text, 'completed'::text, 'failed'::text, 'rejected'::text, 'escalated'::text, 'cancelled'::text]))),
    CONSTRAINT chk_status_has_its_facts CHECK (((origin <> 'live'::text) OR
CASE status
    WHEN 'assigned'::text THEN (num_nonnulls(accepted_at, rejected_at, started_at, completed_at, completion_status) = 0)
    WHEN 'accepted'::text THEN ((accepted_at IS NOT NULL) AND (num_nonnulls(rejected_at, started_at, completed_at, completion_status) = 0))
    WHEN 'in_progress'::text THEN ((num_nonnulls(accepted_at, started_at) = 2) AND (num_nonnulls(rejected_at, completed_at, completion_status) = 0))
    WHEN 'completed'::text THEN ((num_nonnulls(accepted_at, completed_at, time_spent_hours, completion_status) = 4) AND (completion_status = ANY (ARRAY['success'::text, 'parts_required'::text, 'customer_unavailable'::text])))
    WHEN 'failed'::text THEN ((num_nonnulls(accepted_at, completed_at, time_spent_hours, completion_status) = 4) AND (completion_status = 'failed'::text))
    WHEN 'escalated'::text THEN ((num_nonnulls(completed_at, escalation_reason, completion_status) = 3) AND (completion_status = 'escalated'::text))
    WHEN 'rejected'::text THEN ((num_nonnulls(rejected_at, rejection_reason) = 2) AND (num_nonnulls(completed_at, completion_status) = 0))
    WHEN 'cancelled'::text THEN ((num_nonnulls(completed_at, cancellation_reason) = 2) AND (completion_status IS NULL))
    ELSE NULL::boolean
END)),
    CONSTRAINT chk_time_spent_hours CHECK ((time_spent_hours >= (0)::numeric))
);

COMMENT ON TABLE public.engineer_assignments IS 'Complete assignment history for service tickets.
Tracks all engineers assigned to a ticket including escalations.
Current assignment is the one row where status IN (assigned, accepted, in_progress).';

COMMENT ON COLUMN public.engineer_assignments.assignment_sequence IS '1, 2, 3 … within a ticket, in the order of creation.';

COMMENT ON COLUMN public.engineer_assignments.completed_at IS 'When the assignment was completed, failed, escalated or cancelled.';

COMMENT ON COLUMN public.engineer_assignments.origin IS 'live: created by the new application. legacy: from the old table, or changed by the old application. backfill: created from the old columns of the ticket. Only live rows count in response times.';

CREATE FUNCTION public.assignment_migration_report() RETURNS TABLE(item text, counted bigint, expected bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'baton', 'public'
    AS $_$
DECLARE
    -- After 0006_contract the old table is in schema baton_legacy, unless it was dropped, and tickets are not synchronised.
    side_by_side boolean := to_regclass('baton.engineer_assignments') IS NOT NULL;
    old_table regclass := to_regclass(CASE WHEN side_by_side THEN 'public' ELSE 'baton_legacy' END || '.engineer_assignments');
    accounted bigint;
BEGIN
    SELECT count(*) FILTER (WHERE m.outcome <> 'no_engineer') INTO accounted FROM assignment_migration m;
    RETURN QUERY SELECT 'Tickets that named an engineer', count(*), accounted
        FROM assignment_migration m WHERE btrim(coalesce(m.old_columns->>'assigned_engineer_id', '')) <> '';
    RETURN QUERY SELECT '  backfilled', count(*), NULL::bigint FROM assignment_migration m WHERE m.outcome = 'backfilled';
    RETURN QUERY SELECT '  already there', count(*), NULL::bigint FROM assignment_migration m WHERE m.outcome = 'already_there';
    RETURN QUERY SELECT '  quarantined', count(*), NULL::bigint FROM assignment_migration m WHERE m.outcome = 'quarantined';

    -- A ticket has one backfilled assignment, however its status changed since.
    RETURN QUERY SELECT 'Backfilled assignments', count(*), (SELECT count(*) FROM assignment_migration m WHERE m.outcome = 'backfilled')
        FROM engineer_assignments a WHERE a.assigned_by = 'system:migration';

    IF old_table IS NOT NULL THEN
        -- Rows with the same id: one of them may be in the history.
        EXECUTE format($q$
            WITH old_id AS (
                SELECT %s AS id, count(*) AS rows FROM %s o GROUP BY 1
            )
            SELECT coalesce(sum(o.rows), 0), count(a.id), coalesce(sum(least(o.rows - count_of.taken, i.rows)), 0)
            FROM old_id o
            LEFT JOIN engineer_assignments a ON a.id = o.id
            CROSS JOIN LATERAL (SELECT CASE WHEN a.id IS NULL THEN 0 ELSE 1 END AS taken) AS count_of
            CROSS JOIN LATERAL (
                SELECT count(*) AS rows FROM assignment_migration_issues i
                WHERE o.rows > count_of.taken AND i.assignment_id = o.id AND i.outcome = 'quarantined'
                  AND i.column_name IS NULL) AS i $q$, baton.old_id_of(old_table), old_table)
        INTO counted, expected, accounted;
        item := 'Old assignments'; expected := expected + accounted; RETURN NEXT;
        item := '  migrated'; counted := expected - accounted; expected := NULL; RETURN NEXT;
        item := '  quarantined'; counted := accounted; RETURN NEXT;
    END IF;
    RETURN QUERY SELECT 'Quarantined values', count(*), NULL::bigint
        FROM assignment_migration_issues i WHERE i.column_name IS NOT NULL;

    RETURN QUERY SELECT 'Tickets with a gap in their sequence', count(*), 0::bigint
        FROM (SELECT FROM engineer_assignments a GROUP BY a.ticket_id
            HAVING min(a.assignment_sequence) <> 1 OR max(a.assignment_sequence) <> count(*)) AS gap;
    RETURN QUERY SELECT 'Ended tickets with a current assignment', count(*), 0::bigint
        FROM current_ticket_assignments c JOIN service_tickets t ON t.id = c.ticket_id
        WHERE t.status IN ('resolved', 'closed', 'cancelled');
    IF side_by_side THEN
        RETURN QUERY SELECT 'Tickets not migrated', count(*), 0::bigint FROM service_tickets t
            WHERE NOT EXISTS (SELECT FROM assignment_migration m WHERE m.ticket_id = t.id);
        -- From no old row or columns, not written or deleted by the old application, and not made by the new one.
        RETURN QUERY EXECUTE format($q$
            SELECT 'Assignments without an old row', count(*), 0::bigint
            FROM engineer_assignments a
            WHERE a.origin <> 'live' AND a.assigned_by IS DISTINCT FROM 'system:migration'
              AND a.assigned_by IS DISTINCT FROM 'system:old-application'
              AND NOT EXISTS (SELECT FROM %s o WHERE %s = a.id)
              AND NOT EXISTS (SELECT FROM assignment_migration_issues i WHERE i.assignment_id = a.id)
              AND NOT EXISTS (SELECT FROM assignment_events e WHERE e.assignment_id = a.id) $q$, old_table, baton.old_id_of(old_table));
        -- Without unknown engineers: those tickets are quarantined.
        RETURN QUERY SELECT 'Tickets with different engineers in old columns and history', count(*), 0::bigint
            FROM current_ticket_assignments c JOIN service_tickets t ON t.id = c.ticket_id
            JOIN engineers e ON e.id = baton.as_uuid(t.assigned_engineer_id::text)
            WHERE e.id <> c.engineer_id;
    END IF;
END $_$;

CREATE FUNCTION public.drop_events(name text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
DECLARE last bigint;
BEGIN
    PERFORM FROM public.time_partitions p
    WHERE p.parent = 'ticket_events' AND p.name = drop_events.name AND p.ends_at < clock_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no month of events that is over', name;
    END IF;
    EXECUTE format('SELECT coalesce(max(e.id), 0) FROM public.%I e', name) INTO last;
    UPDATE public.dropped_events d SET last_id = greatest(d.last_id, last);
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN last;
END $$;

CREATE FUNCTION public.enter_key_for_tomorrow() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.day := NEW.day + 1;
    INSERT INTO public.idempotency_keys SELECT NEW.*;
    RETURN NULL;
END $$;

CREATE FUNCTION public.keep_ended_assignment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE last public.ticket_events;
BEGIN
    -- Only the customer's rating may come later; how the assignment ended is final.
    NEW.customer_rating := OLD.customer_rating;
    NEW.customer_feedback := OLD.customer_feedback;
    NEW.updated_at := OLD.updated_at;
    -- The hours may change if the newest event of the assignment records exactly this correction.
    IF NEW.time_spent_hours IS DISTINCT FROM OLD.time_spent_hours THEN
        SELECT e.* INTO last FROM public.ticket_events e
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

CREATE FUNCTION public.keep_key() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN NULL;
END $$;

CREATE FUNCTION public.make_time_partition(parent text, name text, time_column text, first text, beyond text) RETURNS text
    LANGUAGE plpgsql
    AS $_$
BEGIN
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES)', name, parent);
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format('INSERT INTO public.%1$I SELECT d.* FROM public.%2$I d WHERE d.%3$I >= %4$L AND d.%3$I < %5$L',
        name, parent || '_default', time_column, first, beyond);
    -- A trigger prevents single deletes of keys, except here.
    EXECUTE format('ALTER TABLE public.%I DISABLE TRIGGER USER', parent || '_default');
    EXECUTE format('DELETE FROM public.%1$I d WHERE d.%2$I >= %3$L AND d.%2$I < %4$L',
        parent || '_default', time_column, first, beyond);
    EXECUTE format('ALTER TABLE public.%I ENABLE TRIGGER USER', parent || '_default');
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        parent, name, first, beyond);
    RETURN 'made ' || name;
END $_$;

CREATE FUNCTION public.record_foreign_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'baton', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION public.tend_partitions() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    SET lock_timeout TO '200ms'
    AS $$
DECLARE
    today date := clock_timestamp()::date;
    this_month date := date_trunc('month', clock_timestamp())::date;
    first date;
    outdated text;
BEGIN
    -- One server at a time; the others skip this run.
    IF NOT pg_try_advisory_xact_lock(7301112024002) THEN
        RETURN NULL;
    END IF;

    SELECT greatest(max(p.ends_at)::date, today) INTO first FROM public.time_partitions p WHERE p.parent = 'idempotency_keys';
    IF first <= today + 3 THEN
        RETURN public.make_time_partition('idempotency_keys', to_char(first, '"idempotency_keys_p"YYYYMMDD'),
            'day', first::text, (first + 1)::text);
    END IF;
    SELECT p.name INTO outdated FROM public.time_partitions p
    WHERE p.parent = 'idempotency_keys' AND p.ends_at < today ORDER BY p.ends_at LIMIT 1;
    IF outdated IS NOT NULL THEN
        EXECUTE format('DROP TABLE public.%I', outdated);
        RETURN 'dropped ' || outdated;
    END IF;

    SELECT greatest(max(p.ends_at)::date, this_month) INTO first FROM public.time_partitions p WHERE p.parent = 'ticket_events';
    IF first <= this_month + interval '2 months' THEN
        -- Before the lock that the foreign key needs, in the same order as a command takes its locks.
        LOCK TABLE public.service_tickets IN SHARE ROW EXCLUSIVE MODE;
        RETURN public.make_time_partition('ticket_events', to_char(first, '"ticket_events_p"YYYYMM'),
            'recorded_at', first::text, (first + interval '1 month')::date::text);
    END IF;
    RETURN NULL;
END $$;

CREATE TABLE public.ticket_events (
    id bigint NOT NULL,
    ticket_id character varying(64) NOT NULL,
    assignment_id uuid,
    type text NOT NULL,
    actor text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    assignment jsonb,
    request_id text,
    token_id text,
    details jsonb,
    source text,
    changes jsonb,
    ticket_version integer,
    CONSTRAINT ticket_events_type_check CHECK ((type = ANY (ARRAY['ticket_created'::text, 'ticket_updated'::text, 'ticket_held'::text, 'ticket_resumed'::text, 'ticket_resolved'::text, 'ticket_closed'::text, 'ticket_reopened'::text, 'ticket_cancelled'::text, 'ticket_deleted'::text, 'note_added'::text, 'assigned'::text, 'accepted'::text, 'rejected'::text, 'started'::text, 'completed'::text, 'failed'::text, 'escalated'::text, 'reassigned'::text, 'cancelled'::text, 'rated'::text, 'hours_corrected'::text, 'overdue'::text])))
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.ticket_events IS 'Audit log: each change of a ticket or an assignment, and who made it. Append only.';

COMMENT ON COLUMN public.ticket_events.assignment IS 'The assignment after the change; null for an event of the ticket.';

COMMENT ON COLUMN public.ticket_events.details IS 'Data that is not in the assignment row. For a correction: the previous hours and the reason.';

COMMENT ON COLUMN public.ticket_events.source IS 'person, rule, import or other_application; null in older rows.';

COMMENT ON COLUMN public.ticket_events.changes IS 'The columns of the ticket that changed: {"status": ["new", "assigned"]}. Of several events of one change, only the last has it.';

COMMENT ON COLUMN public.ticket_events.ticket_version IS 'The version of the ticket after the change; null in older rows.';

ALTER TABLE public.ticket_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.assignment_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.assignment_migration (
    ticket_id character varying(64) NOT NULL,
    outcome text NOT NULL,
    old_columns jsonb NOT NULL,
    CONSTRAINT assignment_migration_outcome_check CHECK ((outcome = ANY (ARRAY['backfilled'::text, 'already_there'::text, 'quarantined'::text, 'no_engineer'::text])))
);

COMMENT ON TABLE public.assignment_migration IS 'Each migrated ticket: the values of its old columns, and the outcome.';

CREATE TABLE public.assignment_migration_issues (
    id bigint NOT NULL,
    ticket_id text,
    assignment_id uuid,
    outcome text NOT NULL,
    reason text NOT NULL,
    raw jsonb NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    column_name text,
    CONSTRAINT assignment_migration_issues_outcome_check CHECK ((outcome = ANY (ARRAY['quarantined'::text, 'closed'::text])))
);

COMMENT ON TABLE public.assignment_migration_issues IS 'Old rows that could not be migrated unchanged: quarantined, or migrated but closed.';

COMMENT ON COLUMN public.assignment_migration_issues.column_name IS 'The column of which only the value is quarantined; null for the whole row.';

ALTER TABLE public.assignment_migration_issues ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.assignment_migration_issues_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.assignment_migration_state (
    only_one boolean DEFAULT true NOT NULL,
    reached character varying(64) DEFAULT ''::character varying NOT NULL,
    comments jsonb NOT NULL,
    migrator text,
    first character varying(64) DEFAULT ''::character varying NOT NULL,
    from_start boolean DEFAULT true NOT NULL,
    CONSTRAINT assignment_migration_state_only_one_check CHECK (only_one)
);

COMMENT ON TABLE public.assignment_migration_state IS 'Progress of the backfill, and the previous comments of the old columns.';

COMMENT ON COLUMN public.assignment_migration_state.migrator IS 'The migrator that began the backfill; null before it, and when it is complete.';

COMMENT ON COLUMN public.assignment_migration_state.first IS 'The ticket after which this migrator began, because an earlier one had reached it.';

COMMENT ON COLUMN public.assignment_migration_state.from_start IS 'Whether the backfill has continued, or begun, with the first ticket.';

CREATE TABLE public.assignment_tiers (
    tier integer NOT NULL,
    accept_within interval,
    CONSTRAINT assignment_tiers_accept_within_check CHECK ((accept_within > '00:00:00'::interval)),
    CONSTRAINT assignment_tiers_tier_check CHECK ((tier >= 1))
);

COMMENT ON COLUMN public.assignment_tiers.accept_within IS 'Maximum time to accept; after it the ticket is escalated to the next tier. Null: no limit.';

CREATE TABLE public.engineers (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    email text,
    phone text,
    engineer_level integer DEFAULT 1 NOT NULL,
    home_region text,
    skills text[] DEFAULT '{}'::text[] NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT engineers_engineer_level_check CHECK (((engineer_level >= 1) AND (engineer_level <= 3)))
);

CREATE VIEW public.current_ticket_assignments AS
 SELECT a.ticket_id,
    a.engineer_id,
    a.assignment_sequence,
    a.assignment_tier,
    a.status,
    a.assigned_at,
    a.completed_at,
    a.id,
    a.assignment_tier_name,
    e.name AS engineer_name,
    a.accepted_at,
    a.started_at
   FROM (public.engineer_assignments a
     JOIN public.engineers e ON ((e.id = a.engineer_id)))
  WHERE (a.status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE TABLE public.dropped_events (
    only_one boolean DEFAULT true NOT NULL,
    last_id bigint NOT NULL,
    CONSTRAINT dropped_events_only_one_check CHECK (only_one)
);

COMMENT ON TABLE public.dropped_events IS 'The highest id of all events that were dropped with their months.';

CREATE TABLE public.engineer_tiers (
    tier integer NOT NULL,
    engineer_id uuid NOT NULL
);

COMMENT ON TABLE public.engineer_tiers IS 'The engineers of each tier: candidates for automatic escalation.';

CREATE TABLE public.equipment (
    id character varying(64) NOT NULL,
    name text NOT NULL,
    serial_number text,
    manufacturer text,
    model text,
    category text,
    status text DEFAULT 'operational'::text NOT NULL,
    warranty_expiry date,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT equipment_status_check CHECK ((status = ANY (ARRAY['operational'::text, 'down'::text, 'under_maintenance'::text, 'decommissioned'::text])))
);

CREATE TABLE public.hourly_rates (
    id bigint NOT NULL,
    engineer_id uuid NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    hourly_rate numeric(9,2) NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone NOT NULL,
    request_id text,
    token_id text,
    CONSTRAINT hourly_rates_hourly_rate_check CHECK ((hourly_rate >= (0)::numeric))
);

COMMENT ON TABLE public.hourly_rates IS 'Hourly rates of engineers, each valid from a point in time. Append only: of two rows for the same time, the later one applies.';

ALTER TABLE public.hourly_rates ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.hourly_rates_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.idempotency_keys (
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    event_id bigint,
    created_at timestamp with time zone NOT NULL,
    hourly_rate_id bigint,
    day date DEFAULT ((public.app_now() AT TIME ZONE 'UTC'::text))::date NOT NULL,
    CONSTRAINT idempotency_keys_of_one_change CHECK ((num_nonnulls(event_id, hourly_rate_id) = 1))
)
PARTITION BY RANGE (day);

COMMENT ON TABLE public.idempotency_keys IS 'Maps an idempotency key to the change it made, so that a repeat changes nothing and returns the same result.';

CREATE TABLE public.service_tickets (
    id character varying(64) NOT NULL,
    ticket_number character varying(50) NOT NULL,
    equipment_id character varying(64),
    customer_name text,
    issue_category text,
    issue_description text,
    priority text DEFAULT 'medium'::text NOT NULL,
    status text DEFAULT 'new'::text NOT NULL,
    assigned_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    started_at timestamp with time zone,
    resolved_at timestamp with time zone,
    closed_at timestamp with time zone,
    sla_response_due timestamp with time zone,
    sla_resolution_due timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT service_tickets_priority_check CHECK ((priority = ANY (ARRAY['critical'::text, 'high'::text, 'medium'::text, 'low'::text]))),
    CONSTRAINT service_tickets_status_check CHECK ((status = ANY (ARRAY['new'::text, 'assigned'::text, 'in_progress'::text, 'on_hold'::text, 'resolved'::text, 'closed'::text, 'cancelled'::text])))
);

CREATE VIEW public.service_tickets_compat AS
 SELECT t.id,
    (last.engineer_id)::text AS assigned_engineer_id,
    e.name AS assigned_engineer_name,
    last.assignment_tier,
    last.assignment_tier_name,
    last.assigned_at
   FROM ((public.service_tickets t
     LEFT JOIN LATERAL ( SELECT a.engineer_id,
            a.assignment_tier,
            a.assignment_tier_name,
            a.assigned_at,
            a.status
           FROM public.engineer_assignments a
          WHERE ((a.ticket_id)::text = (t.id)::text)
          ORDER BY (a.status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text])) DESC, a.assignment_sequence DESC
         LIMIT 1) last ON ((last.status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text, 'completed'::text]))))
     LEFT JOIN public.engineers e ON ((e.id = last.engineer_id)));

COMMENT ON VIEW public.service_tickets_compat IS 'The old columns of service_tickets for existing readers: the engineer of the current or the completed assignment.';

CREATE TABLE public.ticket_details (
    ticket_id character varying(64) NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    contact_name text,
    contact_phone text,
    site_address text,
    hold_reason text,
    held_by text,
    held_at timestamp with time zone,
    hold_until timestamp with time zone,
    next_tier integer,
    waiting_since timestamp with time zone,
    cancelled_at timestamp with time zone,
    follow_up_of character varying(64),
    duplicate_of character varying(64),
    created_number text,
    CONSTRAINT ticket_details_check CHECK (((follow_up_of)::text <> (ticket_id)::text)),
    CONSTRAINT ticket_details_check1 CHECK (((duplicate_of)::text <> (ticket_id)::text)),
    CONSTRAINT ticket_details_next_tier_check CHECK (((next_tier >= 1) AND (next_tier <= 5))),
    CONSTRAINT ticket_details_version_check CHECK ((version >= 1))
);

COMMENT ON TABLE public.ticket_details IS 'Columns of tickets that service_tickets does not have.';

COMMENT ON COLUMN public.ticket_details.version IS 'Number of changes of the ticket''s own fields, from 1.';

COMMENT ON COLUMN public.ticket_details.held_at IS 'When the ticket was put on hold by us; null unless it is on hold.';

COMMENT ON COLUMN public.ticket_details.next_tier IS 'The tier that an escalation without a next engineer asked for.';

COMMENT ON COLUMN public.ticket_details.waiting_since IS 'Since when an engineer is needed; null while one is assigned, and when the ticket is not open.';

COMMENT ON COLUMN public.ticket_details.created_number IS 'The number under which we created the ticket. Unique, which service_tickets.ticket_number may not be.';

CREATE TABLE public.ticket_event_gaps (
    ticket_id text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    problem text NOT NULL
);

COMMENT ON TABLE public.ticket_event_gaps IS 'Changes of tickets by other applications that could not be recorded as events.';

CREATE TABLE public.ticket_external_ids (
    external_source text NOT NULL,
    external_id text NOT NULL,
    ticket_id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.ticket_external_ids IS 'Ids of tickets in other systems.';

CREATE TABLE public.ticket_notes (
    ticket_id character varying(64) NOT NULL,
    id uuid NOT NULL,
    text text NOT NULL,
    for_next_holder boolean NOT NULL,
    author text NOT NULL,
    author_engineer_id uuid,
    recorded_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.ticket_notes IS 'Notes on tickets. Append only.';

CREATE SEQUENCE public.ticket_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

COMMENT ON SEQUENCE public.ticket_numbers IS 'For the numbers of new tickets: TKT-000001. Gaps are normal.';

CREATE VIEW public.time_partitions AS
 SELECT (parent.relname)::text AS parent,
    (child.relname)::text AS name,
        CASE parent.relname
            WHEN 'idempotency_keys'::name THEN (((range.bounds[1])::date)::timestamp without time zone AT TIME ZONE 'UTC'::text)
            ELSE (range.bounds[1])::timestamp with time zone
        END AS ends_at
   FROM (((pg_inherits i
     JOIN pg_class parent ON ((parent.oid = i.inhparent)))
     JOIN pg_class child ON ((child.oid = i.inhrelid)))
     CROSS JOIN LATERAL ( SELECT regexp_match(pg_get_expr(child.relpartbound, child.oid), 'TO \(''([^'']+)''\)'::text) AS bounds) range)
  WHERE (i.inhparent = ANY (ARRAY[('public.ticket_events'::regclass)::oid, ('public.idempotency_keys'::regclass)::oid]));

COMMENT ON VIEW public.time_partitions IS 'Partitions of events and keys, and when each ends; null for the default partitions.';

ALTER TABLE ONLY public.assignment_migration_issues
    ADD CONSTRAINT assignment_migration_issues_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.assignment_migration
    ADD CONSTRAINT assignment_migration_pkey PRIMARY KEY (ticket_id);

ALTER TABLE ONLY public.assignment_migration_state
    ADD CONSTRAINT assignment_migration_state_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.assignment_tiers
    ADD CONSTRAINT assignment_tiers_pkey PRIMARY KEY (tier);

ALTER TABLE ONLY public.dropped_events
    ADD CONSTRAINT dropped_events_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_sequence_once UNIQUE (ticket_id, assignment_sequence);

ALTER TABLE ONLY public.engineer_tiers
    ADD CONSTRAINT engineer_tiers_pkey PRIMARY KEY (tier, engineer_id);

ALTER TABLE ONLY public.engineers
    ADD CONSTRAINT engineers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_serial_number_key UNIQUE (serial_number);

ALTER TABLE ONLY public.hourly_rates
    ADD CONSTRAINT hourly_rates_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_by_day_pkey PRIMARY KEY (actor, key, day);

ALTER TABLE ONLY public.service_tickets
    ADD CONSTRAINT service_tickets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.service_tickets
    ADD CONSTRAINT service_tickets_ticket_number_key UNIQUE (ticket_number);

ALTER TABLE ONLY public.ticket_details
    ADD CONSTRAINT ticket_details_pkey PRIMARY KEY (ticket_id);

ALTER TABLE ONLY public.ticket_event_gaps
    ADD CONSTRAINT ticket_event_gaps_pkey PRIMARY KEY (ticket_id, recorded_at);

ALTER TABLE ONLY public.ticket_events
    ADD CONSTRAINT ticket_events_pkey PRIMARY KEY (ticket_id, id, recorded_at);

ALTER TABLE ONLY public.ticket_external_ids
    ADD CONSTRAINT ticket_external_ids_pkey PRIMARY KEY (external_source, external_id);

ALTER TABLE ONLY public.ticket_notes
    ADD CONSTRAINT ticket_notes_pkey PRIMARY KEY (ticket_id, id);

CREATE INDEX assignment_migration_issues_assignment ON public.assignment_migration_issues USING btree (assignment_id);

CREATE INDEX assignment_migration_issues_ticket ON public.assignment_migration_issues USING btree (ticket_id);

CREATE INDEX engineer_assignments_ended ON public.engineer_assignments USING btree (COALESCE(completed_at, rejected_at));

CREATE INDEX engineer_assignments_engineer ON public.engineer_assignments USING btree (engineer_id, assigned_at DESC, id DESC);

CREATE INDEX engineer_assignments_engineer_active ON public.engineer_assignments USING btree (engineer_id, ticket_id) WHERE (status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE INDEX engineer_assignments_given ON public.engineer_assignments USING btree (assigned_at);

CREATE UNIQUE INDEX engineer_assignments_one_active ON public.engineer_assignments USING btree (ticket_id) WHERE (status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE INDEX engineer_assignments_tier_active ON public.engineer_assignments USING btree (assignment_tier, ticket_id) WHERE (status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE INDEX engineer_assignments_unaccepted ON public.engineer_assignments USING btree (assignment_tier, assigned_at) WHERE ((status = 'assigned'::text) AND (origin = 'live'::text));

CREATE INDEX engineers_by_name ON public.engineers USING btree (name, id);

CREATE INDEX hourly_rates_of_engineer ON public.hourly_rates USING btree (engineer_id, valid_from DESC, id DESC);

CREATE INDEX service_tickets_by_number ON public.service_tickets USING btree (ticket_number, id);

CREATE INDEX service_tickets_customer ON public.service_tickets USING btree (customer_name, created_at DESC);

CREATE INDEX service_tickets_newest ON public.service_tickets USING btree (created_at DESC, id DESC);

CREATE INDEX service_tickets_search ON public.service_tickets USING gin (((((((ticket_number)::text || ' '::text) || COALESCE(customer_name, ''::text)) || ' '::text) || COALESCE(issue_category, ''::text))) public.gin_trgm_ops);

CREATE INDEX service_tickets_status_newest ON public.service_tickets USING btree (status, created_at DESC, id DESC);

CREATE UNIQUE INDEX ticket_details_created_number ON public.ticket_details USING btree (created_number) WHERE (created_number IS NOT NULL);

CREATE INDEX ticket_details_duplicates ON public.ticket_details USING btree (duplicate_of, ticket_id) WHERE (duplicate_of IS NOT NULL);

CREATE INDEX ticket_details_follow_ups ON public.ticket_details USING btree (follow_up_of, ticket_id) WHERE (follow_up_of IS NOT NULL);

CREATE INDEX ticket_details_hold_until ON public.ticket_details USING btree (hold_until) WHERE (hold_until IS NOT NULL);

CREATE INDEX ticket_details_waiting ON public.ticket_details USING btree (waiting_since, ticket_id) WHERE (waiting_since IS NOT NULL);

CREATE INDEX ticket_events_id ON ONLY public.ticket_events USING btree (id);

CREATE INDEX ticket_external_ids_of_ticket ON public.ticket_external_ids USING btree (ticket_id, external_source);

CREATE INDEX ticket_notes_for_next_holder ON public.ticket_notes USING btree (ticket_id, recorded_at) WHERE for_next_holder;

CREATE TRIGGER ended_assignment_is_kept AFTER UPDATE ON public.engineer_assignments FOR EACH ROW WHEN ((old.status = ANY (ARRAY['completed'::text, 'failed'::text, 'rejected'::text, 'escalated'::text, 'cancelled'::text]))) EXECUTE FUNCTION public.keep_ended_assignment();

CREATE CONSTRAINT TRIGGER foreign_delete_is_recorded AFTER DELETE ON public.service_tickets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((current_setting('baton.own_change'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.record_foreign_change();

CREATE CONSTRAINT TRIGGER foreign_insert_is_recorded AFTER INSERT ON public.service_tickets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((current_setting('baton.own_change'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.record_foreign_change();

CREATE CONSTRAINT TRIGGER foreign_update_is_recorded AFTER UPDATE ON public.service_tickets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((current_setting('baton.own_change'::text, true) IS DISTINCT FROM 'on'::text) AND (old.* *<> new.*))) EXECUTE FUNCTION public.record_foreign_change();

CREATE TRIGGER keys_go_with_their_day BEFORE DELETE ON public.idempotency_keys FOR EACH ROW EXECUTE FUNCTION public.keep_key();

CREATE TRIGGER keys_meet_at_midnight AFTER INSERT ON public.idempotency_keys FOR EACH ROW WHEN (((((public.app_now() + '01:00:00'::interval) AT TIME ZONE 'UTC'::text))::date > new.day)) EXECUTE FUNCTION public.enter_key_for_tomorrow();

ALTER TABLE public.ticket_events
    ADD CONSTRAINT assignment_events_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES public.engineer_assignments(id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers(id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_equipment_id_fkey FOREIGN KEY (equipment_id) REFERENCES public.equipment(id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.service_tickets(id);

ALTER TABLE ONLY public.engineer_tiers
    ADD CONSTRAINT engineer_tiers_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.engineer_tiers
    ADD CONSTRAINT engineer_tiers_tier_fkey FOREIGN KEY (tier) REFERENCES public.assignment_tiers(tier);

ALTER TABLE ONLY public.hourly_rates
    ADD CONSTRAINT hourly_rates_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers(id) ON DELETE CASCADE;

ALTER TABLE public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_hourly_rate_id_fkey FOREIGN KEY (hourly_rate_id) REFERENCES public.hourly_rates(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.service_tickets
    ADD CONSTRAINT service_tickets_equipment_id_fkey FOREIGN KEY (equipment_id) REFERENCES public.equipment(id);
