// Example "monorepo": one app of a repository that holds several; the project's root_dir is apps/web.
const { createServer } = require("node:http");

const server = createServer((req, res) => {
  const found = req.url === "/";
  res.writeHead(found ? 200 : 404, { "Content-Type": "text/plain" });
  res.end(found ? "Hello from slipway's monorepo example\n" : "not found\n");
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, "0.0.0.0", () => console.log(`monorepo example listens on port ${port}`));

process.on("SIGTERM", () => server.close(() => process.exit(0)));
