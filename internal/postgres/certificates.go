package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// SaveAsset stores something that gateways share for TLS, encrypted.
func (s *Store) SaveAsset(ctx context.Context, key string, value []byte) error {
	if s.options.Cipher == nil {
		return at(errNoCipher, "save %s", key)
	}
	sealed, err := s.options.Cipher.Encrypt(value, assetPlace(key))
	if err != nil {
		return at(err, "save %s", key)
	}
	return at(s.q.SaveAsset(ctx, db.SaveAssetParams{Key: key, Value: sealed}), "save %s", key)
}

// Asset returns what SaveAsset stored; deployment.ErrNotFound for nothing.
func (s *Store) Asset(ctx context.Context, key string) ([]byte, error) {
	if s.options.Cipher == nil {
		return nil, at(errNoCipher, "load %s", key)
	}
	sealed, err := s.q.Asset(ctx, key)
	if err != nil {
		return nil, at(err, "load %s", key)
	}
	value, err := s.options.Cipher.Decrypt(sealed, assetPlace(key))
	return value, at(err, "load %s: decrypt", key)
}

// DeleteAssets removes a key and all keys below it.
func (s *Store) DeleteAssets(ctx context.Context, key string) error {
	return at(s.q.DeleteAssets(ctx, key), "delete %s", key)
}

// AssetKeys lists the keys below one, in order; all of them for "".
func (s *Store) AssetKeys(ctx context.Context, below string) ([]string, error) {
	keys, err := s.q.AssetKeys(ctx, below)
	return keys, at(err, "list what is below %q", below)
}

// AssetInfo returns how large a value is, as it is stored, and when it was stored; deployment.ErrNotFound for none.
func (s *Store) AssetInfo(ctx context.Context, key string) (size int64, modified time.Time, err error) {
	info, err := s.q.AssetInfo(ctx, key)
	return info.Size, info.ModifiedAt.UTC(), at(err, "look at %s", key)
}

// HasAsset reports whether there is a key, or one below it.
func (s *Store) HasAsset(ctx context.Context, key string) (bool, error) {
	has, err := s.q.HasAsset(ctx, key)
	return has, at(err, "look for %s", key)
}

// TakeLock gives a lock to a holder for as long as the lease, unless another one has it; its holder takes it anew to keep it.
func (s *Store) TakeLock(ctx context.Context, name, holder string, lease time.Duration) (bool, error) {
	rows, err := s.q.TakeLock(ctx, db.TakeLockParams{Name: name, Holder: holder, Lease: lease})
	return rows == 1, at(err, "take lock %s", name)
}

// DropLock frees a lock, unless another holder has taken it meanwhile.
func (s *Store) DropLock(ctx context.Context, name, holder string) error {
	return at(s.q.DropLock(ctx, db.DropLockParams{Name: name, Holder: holder}), "drop lock %s", name)
}

// assetPlace is the associated data of a value: under another key it does not decrypt.
func assetPlace(key string) []byte { return []byte("tls/" + key) }
