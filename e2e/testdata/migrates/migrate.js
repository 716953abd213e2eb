// Says for whom it migrates, which no build can know; a variable's value is never logged, but its length is.
console.log(`migrating for ${process.env.GREETING.length} letters in ${process.env.SLIPWAY_ENVIRONMENT}`);
