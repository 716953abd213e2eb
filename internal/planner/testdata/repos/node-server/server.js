const http = require("node:http")

http.createServer((_, res) => res.end("served by server.js\n")).listen(process.env.PORT ?? 8080)
