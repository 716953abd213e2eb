// Package gitservetest gives tests a real git server on loopback (internal/gitserve behind httptest) and repositories that
// are written commit by commit.
package gitservetest
