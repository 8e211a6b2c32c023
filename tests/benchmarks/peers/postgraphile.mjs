// PostGraphile: the schema comes from the tables, the current assignment from a plan of ours.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
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

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [CurrentAssignment],
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
