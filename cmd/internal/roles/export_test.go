package roles

// WithOwnPostgres runs slipway-dev's own Postgres for a test that looks into it.
var WithOwnPostgres = withOwnPostgres
