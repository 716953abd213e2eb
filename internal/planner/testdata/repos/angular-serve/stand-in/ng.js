#!/usr/bin/env node
// Stands in for the Angular CLI: it puts the page where the application builder does.
const fs = require("node:fs")
if (process.argv[2] === "build") {
  fs.mkdirSync("dist/shop/browser", { recursive: true })
  fs.copyFileSync("src/index.html", "dist/shop/browser/index.html")
} else {
  require("node:http").createServer((_, res) => res.end("development")).listen(4200, "127.0.0.1")
}
