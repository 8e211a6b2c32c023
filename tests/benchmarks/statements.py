"""The reads of plain Strawberry and of the lower bounds: only requested columns."""

_TICKET = "id, ticket_number, upper(status) AS status, upper(priority) AS priority, customer_name, created_at"
_ASSIGNMENT = """id, ticket_id, engineer_id, assignment_sequence, assignment_tier, assignment_tier_name,
    upper(assignment_type) AS assignment_type, upper(status) AS status, assigned_at, accepted_at,
    completed_at, escalation_reason, time_spent_hours"""

NEWEST = f"SELECT {_TICKET} FROM service_tickets ORDER BY created_at DESC, id DESC LIMIT $1"
TICKETS = f"SELECT {_TICKET} FROM service_tickets WHERE id = ANY ($1::text[])"
ENGINEERS = "SELECT id, name FROM engineers WHERE id = ANY ($1::uuid[])"
CURRENT = f"""SELECT {_ASSIGNMENT} FROM engineer_assignments
    WHERE ticket_id = ANY ($1::text[]) AND status IN ('assigned', 'accepted', 'in_progress')"""
HISTORY = f"""SELECT {_ASSIGNMENT} FROM engineer_assignments
    WHERE ticket_id = ANY ($1::text[]) ORDER BY ticket_id, assignment_sequence"""
