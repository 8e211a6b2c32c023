-- migrate: no-transaction, works with 0.1
-- 0008 up: the time to accept of each support tier, and the engineers of each tier. No ticket is escalated
-- automatically until a limit is set.

-- The tables are small, and each statement is safe to run twice.
-- squawk-ignore-file ban-drop-constraint, ban-set-schema, constraint-missing-not-valid, adding-foreign-key-constraint, prefer-robust-stmts

ALTER TABLE IF EXISTS baton.assignment_tiers SET SCHEMA public;
ALTER TABLE IF EXISTS baton.engineer_tiers SET SCHEMA public;
CREATE TABLE IF NOT EXISTS public.assignment_tiers (
    tier int PRIMARY KEY CHECK (tier >= 1),
    accept_within interval CHECK (accept_within > interval '0')
);
COMMENT ON COLUMN public.assignment_tiers.accept_within IS 'Maximum time to accept; after it the ticket is escalated to the next tier. Null: no limit.';
INSERT INTO public.assignment_tiers (tier) VALUES (1), (2), (3), (4), (5) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS public.engineer_tiers (
    tier int NOT NULL REFERENCES public.assignment_tiers (tier),
    engineer_id uuid NOT NULL,
    PRIMARY KEY (tier, engineer_id)
);
COMMENT ON TABLE public.engineer_tiers IS 'The engineers of each tier: candidates for automatic escalation.';
-- next
-- The old application may have deleted engineers while the table was in schema baton.
DELETE FROM public.engineer_tiers p WHERE NOT EXISTS (SELECT FROM public.engineers e WHERE e.id = p.engineer_id);
ALTER TABLE public.engineer_tiers
    DROP CONSTRAINT IF EXISTS engineer_tiers_engineer_id_fkey,
    ADD CONSTRAINT engineer_tiers_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers (id)
        ON DELETE CASCADE;
-- next
-- The history is in schema baton before 0006_contract, and in public after it.
SET search_path = baton, public;
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_unaccepted
    ON engineer_assignments (assignment_tier, assigned_at) WHERE status = 'assigned' AND origin = 'live';
-- next
RESET search_path;
