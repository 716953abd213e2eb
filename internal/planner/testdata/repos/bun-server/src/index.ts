import ms from "ms";
import { version } from "ms/package.json";

const spans: Record<string, number> = { "2 days": ms("2 days") };

const server = Bun.serve({
  port: process.env.PORT,
  fetch: () => new Response(`bun, with the locked ms ${version}: ${spans["2 days"]}`),
});

process.on("SIGTERM", async () => {
  await server.stop();
  console.log("stopped when asked to");
  process.exit(0);
});
