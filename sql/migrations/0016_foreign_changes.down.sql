-- 0016 down: changes by other applications are no longer recorded. The recorded gaps are kept in schema baton.

-- Drops only what the up file adds.
-- squawk-ignore-file ban-drop-function, ban-drop-trigger, ban-set-schema
LOCK TABLE public.service_tickets IN SHARE ROW EXCLUSIVE MODE;
DROP TRIGGER foreign_delete_is_recorded ON public.service_tickets;
DROP TRIGGER foreign_update_is_recorded ON public.service_tickets;
DROP TRIGGER foreign_insert_is_recorded ON public.service_tickets;
DROP FUNCTION public.record_foreign_change();
CREATE SCHEMA IF NOT EXISTS baton;
COMMENT ON SCHEMA baton IS 'Baton: the assignment history and what migrates it.';
ALTER TABLE public.ticket_event_gaps SET SCHEMA baton;
