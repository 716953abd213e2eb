require("node:http").createServer((_, res) => res.end("after its release command\n")).listen(process.env.PORT)
