package roles

// WithOwnPostgres runs slipway-dev's own Postgres for a test that looks into it.
var WithOwnPostgres = withOwnPostgres

// SetZonePort has the servers of DNS zones answer at another port than 53, which a test does not have.
func SetZonePort(port string) { zonePort = port }
