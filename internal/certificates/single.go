package certificates

import (
	"context"
	"io/fs"
	"strings"

	"github.com/caddyserver/certmagic"
)

// single is the storage of certificates on demand, in which there are no wildcards. certmagic would serve one to each name below that has
// no certificate of its own, also when nothing renews it any more: after DNS01 was taken away, or for another domain.
type single struct{ *Storage }

var _ certmagic.Storage = single{}

// inWildcard is part of the keys of what belongs to a wildcard, see certmagic.StorageKeys.
const inWildcard = "/wildcard_."

// Load returns a value.
func (s single) Load(ctx context.Context, key string) ([]byte, error) {
	if strings.Contains(key, inWildcard) {
		return nil, fs.ErrNotExist
	}
	return s.Storage.Load(ctx, key)
}

// Exists reports whether there is a value, or one below.
func (s single) Exists(ctx context.Context, key string) bool {
	return !strings.Contains(key, inWildcard) && s.Storage.Exists(ctx, key)
}

// Stat describes a value.
func (s single) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	if strings.Contains(key, inWildcard) {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return s.Storage.Stat(ctx, key)
}
