#!/usr/bin/env node
// Stands in for Eleventy: it makes a page of each file of the input folder in the output folder.
const fs = require("node:fs")
const { dir } = require(process.cwd() + "/eleventy.config.js")()
for (const name of fs.readdirSync(dir.input)) {
  const page = name === "index.md" ? dir.output : `${dir.output}/${name.replace(/\.md$/, "")}`
  fs.mkdirSync(page, { recursive: true })
  fs.writeFileSync(`${page}/index.html`, `<!doctype html>\n<p>${fs.readFileSync(`${dir.input}/${name}`, "utf8").trim()}</p>\n`)
}
