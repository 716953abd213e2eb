require("http").createServer((_, r) => r.end("never reached")).listen(process.env.PORT);
