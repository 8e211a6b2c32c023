// What Mercurius and Apollo Server share: the schema, its resolvers, and the reads in batches.

import DataLoader from "dataloader";
import pg from "pg";
import { changeResolvers, changeTypes } from "./changes.mjs";

// As text all the way: a Date would only be made to be written again.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => `${text.replace(" ", "T")}:00`);

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: Number(process.env.POOL_SIZE),
  idleTimeoutMillis: 0,
});

const TICKET = `id, ticket_number AS "ticketNumber", upper(status) AS status, upper(priority) AS priority,
  customer_name AS "customerName", created_at AS "createdAt"`;
const ASSIGNMENT = `id, ticket_id AS "ticketId", engineer_id AS "engineerId",
  assignment_sequence AS "assignmentSequence", assignment_tier AS "assignmentTier",
  assignment_tier_name AS "assignmentTierName", upper(assignment_type) AS "assignmentType",
  upper(status) AS status, assigned_at AS "assignedAt", accepted_at AS "acceptedAt",
  completed_at AS "completedAt", escalation_reason AS "escalationReason", time_spent_hours AS "timeSpentHours"`;

// A name makes it a prepared statement of the connection.
const statements = {
  newest: `SELECT ${TICKET} FROM service_tickets ORDER BY created_at DESC, id DESC LIMIT $1`,
  page: `SELECT ${TICKET} FROM service_tickets WHERE (created_at, id) < ($2, $3)
    ORDER BY created_at DESC, id DESC LIMIT $1`,
  ofEngineer: `SELECT ${TICKET} FROM service_tickets WHERE id IN (SELECT ticket_id FROM engineer_assignments
      WHERE engineer_id = $2 AND status IN ('assigned', 'accepted', 'in_progress'))
    ORDER BY created_at DESC, id DESC LIMIT $1`,
  tickets: `SELECT ${TICKET} FROM service_tickets WHERE id = ANY ($1::text[])`,
  engineers: "SELECT id, name FROM engineers WHERE id = ANY ($1::uuid[])",
  current: `SELECT ${ASSIGNMENT} FROM engineer_assignments
    WHERE ticket_id = ANY ($1::text[]) AND status IN ('assigned', 'accepted', 'in_progress')`,
  history: `SELECT ${ASSIGNMENT} FROM engineer_assignments
    WHERE ticket_id = ANY ($1::text[]) ORDER BY ticket_id, assignment_sequence`,
};

async function read(name, ...values) {
  return (await pool.query({ name, text: statements[name], values })).rows;
}

function list({ first, after, filter }) {
  if (after) return read("page", first, ...JSON.parse(Buffer.from(after, "base64url").toString()));
  return filter ? read("ofEngineer", first, filter.engineerId) : read("newest", first);
}

function atMostOne(name, key) {
  return new DataLoader(async (keys) => {
    const found = new Map((await read(name, keys)).map((row) => [row[key], row]));
    return keys.map((k) => found.get(k) ?? null);
  });
}

function many(name, key) {
  return new DataLoader(async (keys) => {
    const found = new Map(keys.map((k) => [k, []]));
    for (const row of await read(name, keys)) found.get(row[key]).push(row);
    return keys.map((k) => found.get(k));
  });
}

export const context = () => ({
  ticket: atMostOne("tickets", "id"),
  engineer: atMostOne("engineers", "id"),
  current: atMostOne("current", "ticketId"),
  history: many("history", "ticketId"),
});

export const typeDefs = `
  scalar DateTime
  type Query { ticket(id: ID!): Ticket  tickets(first: Int!, after: String, filter: TicketFilter): TicketConnection! }
  input TicketFilter { engineerId: ID! }
  type TicketConnection { nodes: [Ticket!]! }
  type Ticket {
    id: ID! ticketNumber: String! status: String! priority: String! customerName: String createdAt: DateTime!
    currentAssignment: Assignment  assignmentHistory: [Assignment!]!
  }
  type Assignment {
    id: ID! assignmentSequence: Int! assignmentTier: Int! assignmentTierName: String! assignmentType: String!
    status: String! assignedAt: DateTime! acceptedAt: DateTime completedAt: DateTime escalationReason: String
    timeSpentHours: String  engineer: Engineer!
  }
  type Engineer { id: ID! name: String! }
  ${changeTypes}
`;

export const resolvers = {
  Mutation: changeResolvers(pool),
  Query: {
    ticket: (_, { id }, { ticket }) => ticket.load(id),
    tickets: async (_, input) => ({ nodes: await list(input) }),
  },
  Ticket: {
    currentAssignment: ({ id }, _, { current }) => current.load(id),
    assignmentHistory: ({ id }, _, { history }) => history.load(id),
  },
  Assignment: {
    engineer: ({ engineerId }, _, { engineer }) => engineer.load(engineerId),
  },
};

export const listen = { host: "127.0.0.1", port: Number(process.env.PORT) };
