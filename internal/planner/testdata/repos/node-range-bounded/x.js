require("node:http").createServer((_, res) => res.end("within its range\n")).listen(process.env.PORT)
