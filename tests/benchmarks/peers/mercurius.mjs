// Mercurius, each operation compiled when it comes the second time.

import Fastify from "fastify";
import mercurius from "mercurius";
import { context, listen, resolvers, typeDefs } from "./data.mjs";

const app = Fastify();
app.register(mercurius, { schema: typeDefs, resolvers, context, jit: 1 });
await app.listen(listen);
