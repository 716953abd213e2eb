require("node:fs").writeFileSync("migrated", "")
