// Changes as pg documents transactions: lock the ticket, read, check, write with one statement, commit.

export const changeTypes = `
  type Mutation {
    assignTicket(input: AssignTicketInput!): AssignTicketResult!
    assignTicketByFunction(input: AssignTicketInput!): AssignTicketResult!
    acceptAssignment(input: AcceptAssignmentInput!): AcceptAssignmentResult!
    completeAssignment(input: CompleteAssignmentInput!): CompleteAssignmentResult!
    escalateTicket(input: EscalateTicketInput!): EscalateTicketResult!
    reassignTicket(input: ReassignTicketInput!): ReassignTicketResult!
  }
  enum CompletionStatus { SUCCESS FAILED PARTS_REQUIRED CUSTOMER_UNAVAILABLE }
  input AssignTicketInput { ticketId: ID! engineerId: ID! tier: Int = 1 idempotencyKey: String }
  input AcceptAssignmentInput { assignmentId: ID! idempotencyKey: String }
  input CompleteAssignmentInput {
    assignmentId: ID! completionStatus: CompletionStatus! timeSpentHours: String! idempotencyKey: String
  }
  input EscalateTicketInput { ticketId: ID! nextEngineerId: ID! reason: String! idempotencyKey: String }
  input ReassignTicketInput { ticketId: ID! engineerId: ID! reason: String! idempotencyKey: String }
  type Refusal { message: String! }
  union AssignTicketResult = Assignment | Refusal
  union AcceptAssignmentResult = Assignment | Refusal
  union CompleteAssignmentResult = Assignment | Refusal
  union EscalateTicketResult = Assignment | Refusal
  union ReassignTicketResult = Assignment | Refusal
`;

const ACTIVE = "('assigned', 'accepted', 'in_progress')";
const RESULT = `id, engineer_id AS "engineerId", assignment_sequence AS "assignmentSequence", upper(status) AS status`;
// $1 to $4: actor, event types by sequence, key, hash. `changed` has the rows written.
const EVENTS = `
  event AS (
    INSERT INTO ticket_events (ticket_id, assignment_id, type, actor, recorded_at, assignment)
    SELECT c.ticket_id, c.id, ($2::text[])[row_number() OVER (ORDER BY c.assignment_sequence)], $1, now(), to_jsonb(c)
    FROM changed c ORDER BY c.assignment_sequence RETURNING id
  ), idempotency AS (
    INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at)
    SELECT $1, $3::text, $4::bytea, max(id), now() FROM event HAVING $3::text IS NOT NULL
  ), ticket AS (
    UPDATE service_tickets SET status = $5, updated_at = now() WHERE id = $6
  )`;
const insert = (source) => `
  INSERT INTO engineer_assignments (id, ticket_id, engineer_id, assignment_sequence, assignment_tier,
    assignment_tier_name, assignment_type, assignment_reason, assigned_by, assigned_at, created_at, updated_at)
  SELECT gen_random_uuid(), $6, $7::uuid, $8::int, $9::int, 'Tier ' || $9::int, $10, $11, $1, now(), now(), now()
  ${source} RETURNING *`;
const END = `UPDATE engineer_assignments SET status = $13, completed_at = now(), updated_at = now(),
    escalation_reason = CASE WHEN $13 = 'escalated' THEN $11 END,
    completion_status = CASE WHEN $13 = 'escalated' THEN 'escalated' END,
    cancellation_reason = CASE WHEN $13 = 'cancelled' THEN $11 END
  WHERE id = $12 RETURNING *`;

const statements = {
  lock: "SELECT id, status FROM service_tickets WHERE id = $1 FOR NO KEY UPDATE",
  lockOf: `SELECT id, status FROM service_tickets
    WHERE id = (SELECT ticket_id FROM engineer_assignments WHERE id = $1) FOR NO KEY UPDATE`,
  key: "SELECT request_hash, event_id FROM idempotency_keys WHERE actor = $1 AND key = $2 LIMIT 1",
  state: `SELECT s.last, a.* FROM (SELECT coalesce(max(assignment_sequence), 0) AS last
      FROM engineer_assignments WHERE ticket_id = $1) AS s
    LEFT JOIN engineer_assignments a ON a.ticket_id = $1 AND a.status IN ${ACTIVE}`,
  engineer: "SELECT is_active FROM engineers WHERE id = $1",
  assign: `WITH changed AS (${insert('')}), ${EVENTS} SELECT ${RESULT} FROM changed`,
  replace: `WITH ended AS (${END}), 
    -- From the ended row: the unique index on active assignments allows the new one only after it.
    following AS (${insert("FROM ended")}),
    changed AS (SELECT * FROM ended UNION ALL SELECT * FROM following), ${EVENTS} SELECT ${RESULT} FROM following`,
  accept: `WITH changed AS (UPDATE engineer_assignments SET status = 'accepted', accepted_at = now(),
    updated_at = now() WHERE id = $7 RETURNING *), ${EVENTS} SELECT ${RESULT} FROM changed`,
  complete: `WITH changed AS (UPDATE engineer_assignments SET status = 'completed', completed_at = now(),
    completion_status = $8, time_spent_hours = $9::numeric, updated_at = now() WHERE id = $7 RETURNING *), ${EVENTS}
    SELECT ${RESULT} FROM changed`,
  function: `SELECT ${RESULT} FROM benchmark_assign($1, $2, $3, $4, $5)`,
};
class Refused extends Error {}

function refuseIf(condition, message) {
  if (condition) throw new Refused(message);
}

export function changeResolvers(pool) {
  const run = (conn, name, values) => conn.query({ name, text: statements[name], values });

  async function change({ target, isAssignment, engineerId, key, input }, work) {
    const conn = await pool.connect();
    try {
      await conn.query("BEGIN");
      const [ticket] = (await run(conn, isAssignment ? "lockOf" : "lock", [target])).rows;
      refuseIf(!ticket, "not found");
      if (key) {
        const [known] = (await run(conn, "key", ["benchmark", key])).rows;
        refuseIf(known, "repeats are not measured");
      }
      const [state] = (await run(conn, "state", [ticket.id])).rows;
      if (engineerId) {
        const [engineer] = (await run(conn, "engineer", [engineerId])).rows;
        refuseIf(!engineer?.is_active, "engineer is inactive");
      }
      refuseIf(["resolved", "closed", "cancelled"].includes(ticket.status), "ticket is not open");
      const hash = key ? Buffer.from(JSON.stringify(input)) : null;
      const common = (events, status) => ["benchmark", events, key ?? null, hash, status, ticket.id];
      const { rows } = await work(conn, state, common);
      await conn.query("COMMIT");
      return { __typename: "Assignment", ...rows[0] };
    } catch (error) {
      await conn.query("ROLLBACK");
      if (error instanceof Refused) return { __typename: "Refusal", message: error.message };
      throw error;
    } finally {
      conn.release();
    }
  }

  const replace = (input, engineerId, { type, ended, events, tier }) =>
    change({ target: input.ticketId, engineerId, key: input.idempotencyKey, input }, (conn, state, common) => {
      refuseIf(!state.id, "no current assignment");
      refuseIf(state.engineer_id === engineerId, "same engineer");
      return run(conn, "replace", [...common(events, "assigned"), engineerId, state.last + 1,
        state.assignment_tier + tier, type, input.reason, state.id, ended]);
    });

  return {
    assignTicket: (_, { input }) =>
      change({ target: input.ticketId, engineerId: input.engineerId, key: input.idempotencyKey, input },
        (conn, state, common) => {
          refuseIf(state.id, "already assigned");
          return run(conn, "assign", [...common(["assigned"], "assigned"), input.engineerId, state.last + 1,
            input.tier, "manual", null]);
        }),
    assignTicketByFunction: async (_, { input }) => {
      const hash = Buffer.from(JSON.stringify(input));
      const { rows } = await run(pool, "function", [input.ticketId, input.engineerId, input.tier, input.idempotencyKey ?? null, hash]);
      return rows[0] ? { __typename: "Assignment", ...rows[0] } : { __typename: "Refusal", message: "refused" };
    },
    acceptAssignment: (_, { input }) =>
      change({ target: input.assignmentId, isAssignment: true, key: input.idempotencyKey, input },
        (conn, state, common) => {
          refuseIf(state.id !== input.assignmentId || state.status !== "assigned", "not allowed");
          return run(conn, "accept", [...common(["accepted"], "assigned"), input.assignmentId]);
        }),
    completeAssignment: (_, { input }) =>
      change({ target: input.assignmentId, isAssignment: true, key: input.idempotencyKey, input },
        (conn, state, common) => {
          refuseIf(state.id !== input.assignmentId || state.status === "assigned", "not allowed");
          return run(conn, "complete", [...common(["completed"], "resolved"), input.assignmentId,
            input.completionStatus.toLowerCase(), input.timeSpentHours]);
        }),
    escalateTicket: (_, { input }) =>
      replace(input, input.nextEngineerId,
        { type: "escalation", ended: "escalated", events: ["escalated", "assigned"], tier: 1 }),
    reassignTicket: (_, { input }) =>
      replace(input, input.engineerId,
        { type: "reassignment", ended: "cancelled", events: ["reassigned", "assigned"], tier: 0 }),
  };
}
