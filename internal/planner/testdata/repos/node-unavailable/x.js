require("node:http").createServer((_, res) => res.end("on the nearest Node\n")).listen(process.env.PORT)
