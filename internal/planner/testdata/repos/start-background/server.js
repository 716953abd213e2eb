require("node:http").createServer((_, res) => res.end("beside a worker\n")).listen(process.env.PORT)
