-- The schema after all migrations. Made by `make fix`; compared in tests.

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';

CREATE FUNCTION public.app_now() RETURNS timestamp with time zone
    LANGUAGE sql
    AS $$
    SELECT coalesce(nullif(current_setting('app.now', true), '')::timestamptz, clock_timestamp())
$$;

CREATE FUNCTION public.keep_ended_assignment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE TABLE public.assignment_events (
    id bigint NOT NULL,
    ticket_id character varying(64) NOT NULL,
    assignment_id uuid NOT NULL,
    type text NOT NULL,
    actor text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    assignment jsonb NOT NULL,
    CONSTRAINT assignment_events_type_check CHECK ((type = ANY (ARRAY['assigned'::text, 'accepted'::text, 'rejected'::text, 'started'::text, 'completed'::text, 'failed'::text, 'escalated'::text, 'reassigned'::text, 'cancelled'::text, 'rated'::text])))
);

COMMENT ON TABLE public.assignment_events IS 'What happened to which assignment, who did it, and the row as it was afterwards. Append only.';

ALTER TABLE public.assignment_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.assignment_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.engineer_assignments (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    ticket_id character varying(64) NOT NULL,
    engineer_id uuid NOT NULL,
    equipment_id character varying(64),
    assignment_tier integer NOT NULL,
    assignment_tier_name text NOT NULL,
    assignment_type text DEFAULT 'auto'::text NOT NULL,
    status text DEFAULT 'assigned'::text NOT NULL,
    assigned_by text,
    assigned_at timestamp with time zone DEFAULT now() NOT NULL,
    accepted_at timestamp with time zone,
    rejected_at timestamp with time zone,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    diagnosis text,
    actions_taken text,
    parts_used jsonb,
    customer_rating integer,
    customer_feedback text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    assignment_sequence integer NOT NULL,
    assignment_reason text,
    rejection_reason text,
    escalation_reason text,
    cancellation_reason text,
    completion_status text,
    time_spent_hours numeric(5,2),
    notes text,
    origin text DEFAULT 'live'::text NOT NULL,
    CONSTRAINT chk_assignment_sequence CHECK ((assignment_sequence >= 1)),
    CONSTRAINT chk_assignment_tier CHECK ((assignment_tier >= 1)),
    CONSTRAINT chk_assignment_type CHECK ((assignment_type = ANY (ARRAY['auto'::text, 'manual'::text, 'escalation'::text, 'reassignment'::text]))),
    CONSTRAINT chk_completion_status CHECK ((completion_status = ANY (ARRAY['success'::text, 'failed'::text, 'escalated'::text, 'parts_required'::text, 'customer_unavailable'::text]))),
    CONSTRAINT chk_origin CHECK ((origin = ANY (ARRAY['live'::text, 'legacy'::text, 'backfill'::text]))),
    CONSTRAINT chk_parts_used CHECK (((origin <> 'live'::text) OR (jsonb_typeof(parts_used) = 'array'::text))),
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
    CONSTRAINT chk_time_spent_hours CHECK ((time_spent_hours >= (0)::numeric)),
    CONSTRAINT engineer_assignments_customer_rating_check CHECK (((customer_rating >= 1) AND (customer_rating <= 5)))
);

COMMENT ON TABLE public.engineer_assignments IS 'Complete assignment history for service tickets.
Tracks all engineers assigned to a ticket including escalations.
Current assignment is the one row where status IN (assigned, accepted, in_progress).';

COMMENT ON COLUMN public.engineer_assignments.completed_at IS 'When it was completed, failed, was escalated or was cancelled.';

COMMENT ON COLUMN public.engineer_assignments.assignment_sequence IS '1, 2, 3 … within a ticket, in the order given.';

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

CREATE TABLE public.idempotency_keys (
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    event_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.idempotency_keys IS 'The change that a key has made, so that a repeat changes nothing and answers the same.';

CREATE TABLE public.service_tickets (
    id character varying(64) NOT NULL,
    ticket_number character varying(50) NOT NULL,
    equipment_id character varying(64),
    customer_name text,
    issue_category text,
    issue_description text,
    priority text DEFAULT 'medium'::text NOT NULL,
    status text DEFAULT 'new'::text NOT NULL,
    assigned_engineer_id character varying(64) DEFAULT ''::character varying,
    assigned_engineer_name character varying(255) DEFAULT ''::character varying,
    assignment_tier integer,
    assignment_tier_name text,
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

COMMENT ON COLUMN public.service_tickets.assigned_engineer_id IS 'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';

COMMENT ON COLUMN public.service_tickets.assigned_engineer_name IS 'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';

COMMENT ON COLUMN public.service_tickets.assignment_tier IS 'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';

COMMENT ON COLUMN public.service_tickets.assignment_tier_name IS 'DEPRECATED: Use engineer_assignments table. Will be removed in next release.';

ALTER TABLE ONLY public.assignment_events
    ADD CONSTRAINT assignment_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_sequence_once UNIQUE (ticket_id, assignment_sequence);

ALTER TABLE ONLY public.engineers
    ADD CONSTRAINT engineers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.equipment
    ADD CONSTRAINT equipment_serial_number_key UNIQUE (serial_number);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (actor, key);

ALTER TABLE ONLY public.service_tickets
    ADD CONSTRAINT service_tickets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.service_tickets
    ADD CONSTRAINT service_tickets_ticket_number_key UNIQUE (ticket_number);

CREATE INDEX assignment_events_ticket ON public.assignment_events USING btree (ticket_id, id);

CREATE INDEX engineer_assignments_engineer ON public.engineer_assignments USING btree (engineer_id, assigned_at DESC, id DESC);

CREATE INDEX engineer_assignments_engineer_active ON public.engineer_assignments USING btree (engineer_id, ticket_id) WHERE (status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE UNIQUE INDEX engineer_assignments_one_active ON public.engineer_assignments USING btree (ticket_id) WHERE (status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE INDEX engineer_assignments_tier_active ON public.engineer_assignments USING btree (assignment_tier, ticket_id) WHERE (status = ANY (ARRAY['assigned'::text, 'accepted'::text, 'in_progress'::text]));

CREATE INDEX engineers_by_name ON public.engineers USING btree (name, id);

CREATE INDEX service_tickets_newest ON public.service_tickets USING btree (created_at DESC, id DESC);

CREATE INDEX service_tickets_search ON public.service_tickets USING gin (((((((ticket_number)::text || ' '::text) || COALESCE(customer_name, ''::text)) || ' '::text) || COALESCE(issue_category, ''::text))) public.gin_trgm_ops);

CREATE INDEX service_tickets_status_newest ON public.service_tickets USING btree (status, created_at DESC, id DESC);

CREATE TRIGGER ended_assignment_is_kept AFTER UPDATE ON public.engineer_assignments FOR EACH ROW WHEN ((old.status = ANY (ARRAY['completed'::text, 'failed'::text, 'rejected'::text, 'escalated'::text, 'cancelled'::text]))) EXECUTE FUNCTION public.keep_ended_assignment();

ALTER TABLE ONLY public.assignment_events
    ADD CONSTRAINT assignment_events_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES public.engineer_assignments(id);

ALTER TABLE ONLY public.assignment_events
    ADD CONSTRAINT assignment_events_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.service_tickets(id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers(id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_equipment_id_fkey FOREIGN KEY (equipment_id) REFERENCES public.equipment(id);

ALTER TABLE ONLY public.engineer_assignments
    ADD CONSTRAINT engineer_assignments_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES public.service_tickets(id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.assignment_events(id);

ALTER TABLE ONLY public.service_tickets
    ADD CONSTRAINT service_tickets_equipment_id_fkey FOREIGN KEY (equipment_id) REFERENCES public.equipment(id);
