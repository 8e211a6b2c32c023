-- migrate: no-transaction
-- 0009 up: how long an assignment of a tier may wait to be accepted, and whose people the engineers are. Nothing
-- is escalated by itself until somebody sets a limit.

-- The tables are small, and each part is safe to run twice.
-- squawk-ignore-file ban-drop-constraint, ban-set-schema, constraint-missing-not-valid, adding-foreign-key-constraint, prefer-robust-stmts

ALTER TABLE IF EXISTS baton.assignment_tiers SET SCHEMA public;
ALTER TABLE IF EXISTS baton.engineer_tiers SET SCHEMA public;
CREATE TABLE IF NOT EXISTS public.assignment_tiers (
    tier int PRIMARY KEY CHECK (tier >= 1),
    accept_within interval CHECK (accept_within > interval '0')
);
COMMENT ON COLUMN public.assignment_tiers.accept_within IS 'An assignment of the tier that nobody has accepted for so long goes to the next tier; null: it waits.';
INSERT INTO public.assignment_tiers (tier) VALUES (1), (2), (3), (4), (5) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS public.engineer_tiers (
    tier int NOT NULL REFERENCES public.assignment_tiers (tier),
    engineer_id uuid NOT NULL,
    PRIMARY KEY (tier, engineer_id)
);
COMMENT ON TABLE public.engineer_tiers IS 'Whose people the engineers are: to whom a ticket may go when it is escalated by itself.';
-- next
-- The old application deletes whom it likes.
DELETE FROM public.engineer_tiers p WHERE NOT EXISTS (SELECT FROM public.engineers e WHERE e.id = p.engineer_id);
ALTER TABLE public.engineer_tiers
    DROP CONSTRAINT IF EXISTS engineer_tiers_engineer_id_fkey,
    ADD CONSTRAINT engineer_tiers_engineer_id_fkey FOREIGN KEY (engineer_id) REFERENCES public.engineers (id)
        ON DELETE CASCADE;
-- next
-- The history lies in schema baton before the contract, and in public after it.
SET search_path = baton, public;
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS engineer_assignments_unaccepted
    ON engineer_assignments (assignment_tier, assigned_at) WHERE status = 'assigned' AND origin = 'live';
-- next
RESET search_path;
