require("node:http").createServer((_, res) => res.end("run by a development tool\n")).listen(process.env.PORT)
