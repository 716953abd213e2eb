// Says for whom it migrates, which no build can know.
console.log(`migrating for ${process.env.GREETING} on port ${process.env.PORT}`);
