package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

// InstallationID returns 12 hex digits that tell this installation from others that share an engine, a builder or a
// registry with it. They are made once.
func (s *Store) InstallationID(ctx context.Context) (string, error) {
	id := make([]byte, 6)
	rand.Read(id) // never fails
	if err := s.q.MakeInstallation(ctx, hex.EncodeToString(id)); err != nil {
		return "", at(err, "make installation id")
	}
	stored, err := s.q.Installation(ctx)
	return stored, at(err, "read installation id")
}
