-- What the server's role needs, and no more: no DDL, no deletes of history, events that are only added.
-- %I stands for the role; `python -m app migrate grant ROLE` fills it in. Each line is one statement.
GRANT USAGE ON SCHEMA public TO %I;
GRANT SELECT ON engineers, equipment, assignment_tiers, engineer_tiers, schema_migrations TO %I;
GRANT SELECT, UPDATE ON service_tickets TO %I;
GRANT SELECT, INSERT, UPDATE ON engineer_assignments TO %I;
GRANT SELECT, INSERT ON assignment_events TO %I;
GRANT SELECT, INSERT ON hourly_rates TO %I;
GRANT SELECT, INSERT ON idempotency_keys TO %I;
GRANT SELECT ON assignment_events_id_seq, dropped_events, time_partitions TO %I;
-- Written by the owner of the tables: it makes partitions ahead, and drops days of keys, nothing else.
GRANT EXECUTE ON FUNCTION tend_partitions() TO %I;
