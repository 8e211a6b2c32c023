"""The reads of plain Strawberry and of the lower bounds: only requested columns."""

_TICKET = "id, ticket_number, upper(status) AS status, upper(priority) AS priority, customer_name, created_at"
_ASSIGNMENT = """id, ticket_id, engineer_id, assignment_sequence, assignment_tier, assignment_tier_name,
    upper(assignment_type) AS assignment_type, upper(status) AS status, assigned_at, accepted_at,
    completed_at, escalation_reason, time_spent_hours"""

_ORDER = "ORDER BY created_at DESC, id DESC LIMIT $1"
NEWEST = f"SELECT {_TICKET} FROM service_tickets {_ORDER}"
PAGE = f"SELECT {_TICKET} FROM service_tickets WHERE (created_at, id) < ($2::timestamptz, $3::text) {_ORDER}"
OF_ENGINEER = f"""SELECT {_TICKET} FROM service_tickets
    WHERE id IN (SELECT ticket_id FROM engineer_assignments
        WHERE engineer_id = $2::uuid AND status IN ('assigned', 'accepted', 'in_progress')) {_ORDER}"""
TICKETS = f"SELECT {_TICKET} FROM service_tickets WHERE id = ANY ($1::text[])"
ENGINEERS = "SELECT id, name FROM engineers WHERE id = ANY ($1::uuid[])"
CURRENT = f"""SELECT {_ASSIGNMENT} FROM engineer_assignments
    WHERE ticket_id = ANY ($1::text[]) AND status IN ('assigned', 'accepted', 'in_progress')"""
HISTORY = f"""SELECT {_ASSIGNMENT} FROM engineer_assignments
    WHERE ticket_id = ANY ($1::text[]) ORDER BY ticket_id, assignment_sequence"""
