// PostGraphile: the schema comes from the tables; the current assignment and the pages from plans of ours.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { TYPES } from "postgraphile/@dataplan/pg";
import { lambda } from "postgraphile/grafast";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { extendSchema } from "postgraphile/utils";

const CurrentAssignment = extendSchema((build) => {
  const { sql, pgResources } = build;
  return {
    typeDefs: "extend type ServiceTicket { currentAssignment: EngineerAssignment }",
    objects: {
      ServiceTicket: {
        plans: {
          currentAssignment($ticket) {
            const $active = pgResources.engineer_assignments.find({ ticket_id: $ticket.get("id") });
            $active.where(sql`${$active}.status IN ('assigned', 'accepted', 'in_progress')`);
            return $active.single();
          },
        },
      },
    },
  };
});

const TicketLists = extendSchema((build) => {
  const { sql, pgResources } = build;
  const newest = ($first, where) => {
    const $tickets = pgResources.service_tickets.find();
    $tickets.where(where($tickets));
    $tickets.orderBy({ attribute: "created_at", codec: TYPES.timestamptz, direction: "DESC" });
    $tickets.orderBy({ attribute: "id", codec: TYPES.text, direction: "DESC" });
    $tickets.setFirst($first);
    return $tickets;
  };
  return {
    typeDefs: `extend type Query {
      ticketsAfter(first: Int!, after: String!): [ServiceTicket!]!
      ticketsOfEngineer(first: Int!, engineerId: UUID!): [ServiceTicket!]!
    }`,
    objects: {
      Query: {
        plans: {
          ticketsAfter(_, { $first, $after }) {
            const key = (n) => lambda($after, (after) => JSON.parse(Buffer.from(after, "base64url").toString())[n]);
            return newest($first, ($tickets) => sql`(${$tickets}.created_at, ${$tickets}.id) <
              (${$tickets.placeholder(key(0), TYPES.timestamptz)}, ${$tickets.placeholder(key(1), TYPES.text)})`);
          },
          ticketsOfEngineer(_, { $first, $engineerId }) {
            return newest($first, ($tickets) => sql`${$tickets}.id IN (SELECT ticket_id FROM engineer_assignments
              WHERE engineer_id = ${$tickets.placeholder($engineerId, TYPES.uuid)}
                AND status IN ('assigned', 'accepted', 'in_progress'))`);
          },
        },
      },
    },
  };
});

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [CurrentAssignment, TicketLists],
  schema: { defaultBehavior: "-connection +list" },
  grafserv: { graphqlPath: "/graphql", graphiql: false },
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      poolConfig: { max: Number(process.env.POOL_SIZE), idleTimeoutMillis: 0 },
    }),
  ],
});

const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
