-- migrate: works with 0.1
-- 0001 up: the legacy tables, in which a ticket row names one engineer.
-- Existing tables are left unchanged; an empty database gets new ones.
CREATE TABLE IF NOT EXISTS engineers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email text,
    phone text,
    engineer_level int NOT NULL DEFAULT 1 CHECK (engineer_level BETWEEN 1 AND 3),
    home_region text,
    skills text[] NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS equipment (
    id varchar(64) PRIMARY KEY,
    name text NOT NULL,
    serial_number text UNIQUE,
    manufacturer text,
    model text,
    category text,
    status text NOT NULL DEFAULT 'operational'
        CHECK (status IN ('operational', 'down', 'under_maintenance', 'decommissioned')),
    warranty_expiry date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS service_tickets (
    -- A KSUID, a UUID or TICKET-2024-0001: always text, never cast.
    id varchar(64) PRIMARY KEY,
    ticket_number varchar(50) NOT NULL UNIQUE,
    equipment_id varchar(64) REFERENCES equipment (id),
    customer_name text,
    issue_category text,
    issue_description text,
    priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    status text NOT NULL DEFAULT 'new'
        CHECK (status IN ('new', 'assigned', 'in_progress', 'on_hold', 'resolved', 'closed', 'cancelled')),
    assigned_engineer_id varchar(64) DEFAULT '',
    assigned_engineer_name varchar(255) DEFAULT '',
    assignment_tier int,
    assignment_tier_name text,
    assigned_at timestamptz,
    acknowledged_at timestamptz,
    started_at timestamptz,
    resolved_at timestamptz,
    closed_at timestamptz,
    sla_response_due timestamptz,
    sla_resolution_due timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS engineer_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket_id varchar(64) NOT NULL REFERENCES service_tickets (id),
    engineer_id uuid NOT NULL REFERENCES engineers (id),
    equipment_id varchar(64) REFERENCES equipment (id),
    assignment_tier int,
    assignment_tier_name text,
    assignment_type text DEFAULT 'auto',
    status text DEFAULT 'assigned',
    assigned_by text,
    assigned_at timestamptz DEFAULT now(),
    accepted_at timestamptz,
    rejected_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    diagnosis text,
    actions_taken text,
    parts_used jsonb,
    customer_rating int CHECK (customer_rating BETWEEN 1 AND 5),
    customer_feedback text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
