-- What the server's role needs, and no more: no DDL, no deletes of history, events that are only added.
-- %I stands for the role; `python -m app migrate grant ROLE` fills it in. Each line is one statement.
GRANT USAGE ON SCHEMA public TO %I;
GRANT SELECT ON engineers, equipment, assignment_tiers, engineer_tiers, schema_migrations TO %I;
GRANT SELECT, UPDATE ON service_tickets TO %I;
GRANT SELECT, INSERT, UPDATE ON engineer_assignments TO %I;
GRANT SELECT, INSERT ON assignment_events TO %I;
-- To change a key's time is to lock its row, so that two servers do not forget the same one.
GRANT SELECT, INSERT, DELETE, UPDATE (created_at) ON idempotency_keys TO %I;
