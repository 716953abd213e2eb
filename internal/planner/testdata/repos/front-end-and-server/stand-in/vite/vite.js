#!/usr/bin/env node
// Stands in for Vite: it builds the page.
const fs = require("node:fs")
fs.mkdirSync("dist", { recursive: true })
fs.copyFileSync("index.html", "dist/index.html")
