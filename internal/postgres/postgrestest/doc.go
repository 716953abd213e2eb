// Package postgrestest gives tests a real Postgres: one private cluster per test binary, started from the system's
// binaries on a unix socket, and a fresh migrated database per test.
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
//
//	func TestStore(t *testing.T) {
//		t.Parallel()
//		store := postgres.New(postgrestest.New(t), postgres.Options{PreviewDomain: "localhost"})
//		...
//	}
package postgrestest
