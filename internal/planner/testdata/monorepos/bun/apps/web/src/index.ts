import { greet } from "@acme/greeting";

Bun.serve({ port: process.env.PORT, fetch: () => new Response(greet(`bun ${Bun.version}`)) });
