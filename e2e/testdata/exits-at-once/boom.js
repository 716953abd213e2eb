console.error("cannot find the database"); process.exit(7);
