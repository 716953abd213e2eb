require("http").createServer((_, r) => r.end("slow but here")).listen(process.env.PORT, "0.0.0.0");
