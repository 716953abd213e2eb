package postgres

// At is what the store makes of an error, for tests.
func At(err error) error { return at(err, "test") }
