console.log("migrated")
