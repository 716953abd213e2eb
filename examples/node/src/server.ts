// Example "node": an Express app in TypeScript with a WebSocket echo on /ws and a stream of events on /events.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { WebSocketServer } from "ws";

const app = express();
const server = createServer(app);

app.get("/", (_req, res) => {
  res.type("text/plain").send("Hello from slipway's node example\n");
});

// Only names made for showing are answered with their value: an address that prints any variable would leak secrets.
app.get("/env/:name", (req, res) => {
  const value = process.env[req.params.name];
  const shown = req.params.name.startsWith("DEMO_") ? value : undefined;
  res.json({ name: req.params.name, set: value !== undefined, value: shown });
});

app.get("/events", (_req, res) => {
  res.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  let id = 0;
  const send = (): void => {
    id += 1;
    res.write(`id: ${id}\ndata: tick ${id}\n\n`);
  };
  send();
  const timer = setInterval(send, 1000);
  res.on("close", () => clearInterval(timer));
});

const sockets = new WebSocketServer({ server, path: "/ws" });
sockets.on("connection", (socket) => {
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(Number(process.env.PORT ?? 3000), "0.0.0.0", () => {
  console.log(`node example listens on port ${(server.address() as AddressInfo).port}`);
});

// Streams and sockets never end by themselves, so they are closed here: otherwise the server would wait for them for ever.
process.on("SIGTERM", () => {
  console.log("SIGTERM: closing");
  sockets.clients.forEach((socket) => socket.close(1001, "server stops"));
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 500);
});
