import fs from "node:fs"
import http from "node:http"

http.createServer((req, res) => {
  res.end(req.url === "/api" ? "from the server\n" : fs.readFileSync("dist/index.html"))
}).listen(process.env.PORT)
