require("http").createServer((_, r) => r.end("served to " + process.env.GREETING)).listen(process.env.PORT, "0.0.0.0");
