-- The privileges of the server's role: no DDL, no deletes of history, inserts only into the audit log.
-- `python -m app migrate grant ROLE` replaces %I with the role.
GRANT USAGE ON SCHEMA public TO %I;
GRANT SELECT ON engineers, equipment, assignment_tiers, engineer_tiers, baton_migrations TO %I;
GRANT SELECT, INSERT, UPDATE ON service_tickets TO %I;
GRANT SELECT, INSERT, UPDATE ON engineer_assignments TO %I;
GRANT SELECT, INSERT ON ticket_events TO %I;
GRANT SELECT, INSERT ON hourly_rates TO %I;
GRANT SELECT, INSERT ON idempotency_keys TO %I;
GRANT SELECT ON assignment_events_id_seq, dropped_events, time_partitions TO %I;
-- Runs with the rights of the tables' owner: creates partitions ahead of time and drops past days of keys.
GRANT EXECUTE ON FUNCTION tend_partitions() TO %I;
GRANT SELECT, INSERT, UPDATE ON ticket_details TO %I;
GRANT SELECT ON ticket_event_gaps TO %I;
GRANT SELECT, INSERT ON ticket_notes, ticket_external_ids TO %I;
GRANT USAGE ON SEQUENCE ticket_numbers TO %I;
