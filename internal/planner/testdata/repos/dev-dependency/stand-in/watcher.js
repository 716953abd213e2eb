#!/usr/bin/env node
// Stands in for nodemon, tsx and their like: it runs a file.
require(require("node:path").resolve(process.argv[2]))
