require("node:http").createServer((_, res) => res.end("the server, not the requirements\n")).listen(process.env.PORT)
