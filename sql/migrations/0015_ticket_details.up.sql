-- migrate: no-transaction, works with 0.1
-- 0015 up: what a ticket has besides the columns of the old table: in tables of our own, because the old table belongs to
-- the customer, who may have columns of these names. A ticket without a row has version 1, and nothing else.

-- The tables are new or were kept by the down file, and each statement is safe to run twice.
-- squawk-ignore-file ban-set-schema, prefer-robust-stmts, require-concurrent-index-creation
ALTER TABLE public.ticket_events VALIDATE CONSTRAINT ticket_events_type_check;
-- next
ALTER TABLE IF EXISTS baton.ticket_details SET SCHEMA public;
ALTER TABLE IF EXISTS baton.ticket_notes SET SCHEMA public;
ALTER TABLE IF EXISTS baton.ticket_external_ids SET SCHEMA public;
ALTER SEQUENCE IF EXISTS baton.ticket_numbers SET SCHEMA public;

CREATE SEQUENCE IF NOT EXISTS public.ticket_numbers;
COMMENT ON SEQUENCE public.ticket_numbers IS 'For the numbers of new tickets: TKT-000001. Gaps are normal.';

CREATE TABLE IF NOT EXISTS public.ticket_details (
    ticket_id varchar(64) PRIMARY KEY,
    version int NOT NULL DEFAULT 1 CHECK (version >= 1),
    contact_name text,
    contact_phone text,
    site_address text,
    hold_reason text,
    held_by text,
    held_at timestamptz,
    hold_until timestamptz,
    next_tier int CHECK (next_tier BETWEEN 1 AND 5),
    waiting_since timestamptz,
    cancelled_at timestamptz,
    follow_up_of varchar(64) CHECK (follow_up_of <> ticket_id),
    duplicate_of varchar(64) CHECK (duplicate_of <> ticket_id),
    created_number text
);
COMMENT ON TABLE public.ticket_details IS 'Columns of tickets that service_tickets does not have.';
COMMENT ON COLUMN public.ticket_details.version IS 'Number of changes of the ticket''s own fields, from 1.';
COMMENT ON COLUMN public.ticket_details.held_at IS 'When the ticket was put on hold by us; null unless it is on hold.';
COMMENT ON COLUMN public.ticket_details.next_tier IS 'The tier that an escalation without a next engineer asked for.';
COMMENT ON COLUMN public.ticket_details.waiting_since IS 'Since when an engineer is needed; null while one is assigned, and when the ticket is not open.';
COMMENT ON COLUMN public.ticket_details.created_number IS 'The number under which we created the ticket. Unique, which service_tickets.ticket_number may not be.';
CREATE UNIQUE INDEX IF NOT EXISTS ticket_details_created_number ON public.ticket_details (created_number)
    WHERE created_number IS NOT NULL;
CREATE INDEX IF NOT EXISTS ticket_details_waiting ON public.ticket_details (waiting_since, ticket_id)
    WHERE waiting_since IS NOT NULL;
CREATE INDEX IF NOT EXISTS ticket_details_follow_ups ON public.ticket_details (follow_up_of, ticket_id)
    WHERE follow_up_of IS NOT NULL;
CREATE INDEX IF NOT EXISTS ticket_details_duplicates ON public.ticket_details (duplicate_of, ticket_id)
    WHERE duplicate_of IS NOT NULL;
CREATE INDEX IF NOT EXISTS ticket_details_hold_until ON public.ticket_details (hold_until)
    WHERE hold_until IS NOT NULL;

CREATE TABLE IF NOT EXISTS public.ticket_notes (
    ticket_id varchar(64) NOT NULL,
    id uuid NOT NULL,
    text text NOT NULL,
    for_next_holder boolean NOT NULL,
    author text NOT NULL,
    author_engineer_id uuid,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, id)
);
COMMENT ON TABLE public.ticket_notes IS 'Notes on tickets. Append only.';
CREATE INDEX IF NOT EXISTS ticket_notes_for_next_holder ON public.ticket_notes (ticket_id, recorded_at)
    WHERE for_next_holder;

CREATE TABLE IF NOT EXISTS public.ticket_external_ids (
    external_source text NOT NULL,
    external_id text NOT NULL,
    ticket_id varchar(64) NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (external_source, external_id)
);
COMMENT ON TABLE public.ticket_external_ids IS 'Ids of tickets in other systems.';
CREATE INDEX IF NOT EXISTS ticket_external_ids_of_ticket ON public.ticket_external_ids (ticket_id, external_source);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS service_tickets_by_number ON public.service_tickets (ticket_number, id);
-- next
-- While the tables were in schema baton, the old application may have resumed, assigned or deleted tickets.
DELETE FROM public.ticket_details d WHERE NOT EXISTS (SELECT FROM public.service_tickets t WHERE t.id = d.ticket_id);
UPDATE public.ticket_details d
SET hold_reason = NULL, held_by = NULL, held_at = NULL, hold_until = NULL
FROM public.service_tickets t
WHERE t.id = d.ticket_id AND t.status <> 'on_hold' AND d.held_at IS NOT NULL;
UPDATE public.ticket_details d
SET waiting_since = NULL
FROM public.service_tickets t
WHERE t.id = d.ticket_id AND t.status NOT IN ('new', 'on_hold') AND d.waiting_since IS NOT NULL;
-- next
-- The history is in schema baton before 0006_contract, and in public after it.
SET search_path = baton, public;
-- next
INSERT INTO public.ticket_details (ticket_id, waiting_since)
SELECT t.id, coalesce(
    (SELECT max(coalesce(a.completed_at, a.rejected_at)) FROM engineer_assignments a WHERE a.ticket_id = t.id), t.created_at)
FROM public.service_tickets t
WHERE t.status IN ('new', 'on_hold')
  AND NOT EXISTS (SELECT FROM current_ticket_assignments c WHERE c.ticket_id = t.id)
ON CONFLICT (ticket_id) DO UPDATE SET waiting_since = coalesce(ticket_details.waiting_since, excluded.waiting_since);
-- next
RESET search_path;
-- next
-- Grant access to the server's roles now, so that `migrate grant` need not run first.
DO $$
DECLARE role text;
BEGIN
    FOR role IN
        SELECT DISTINCT quote_ident(r.rolname) FROM pg_class p CROSS JOIN LATERAL aclexplode(p.relacl) AS a JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.oid = 'public.ticket_events'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> p.relowner
    LOOP
        EXECUTE format('GRANT INSERT ON public.service_tickets TO %s', role);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON public.ticket_details TO %s', role);
        EXECUTE format('GRANT SELECT, INSERT ON public.ticket_notes, public.ticket_external_ids TO %s', role);
        EXECUTE format('GRANT USAGE ON SEQUENCE public.ticket_numbers TO %s', role);
    END LOOP;
END $$;
