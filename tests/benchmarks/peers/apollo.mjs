// Apollo Server, on its own.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { context, listen, resolvers, typeDefs } from "./data.mjs";

const server = new ApolloServer({ typeDefs, resolvers });
await startStandaloneServer(server, { listen, context: async () => context() });
