package roles

import (
	"context"
	"fmt"
	"log/slog"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/temporal/codec"
)

// KeyUse is a key of the installation with what it has sealed in Postgres.
type KeyUse struct {
	secrets.Key
	Secrets int
}

// Keys lists the keys of the keyset, the oldest first.
func Keys(ctx context.Context, m config.Dev, store *postgres.Store) ([]KeyUse, error) {
	keyset, err := openKeyset(ctx, m.Postgres)
	if err != nil {
		return nil, err
	}
	return keyUses(ctx, keyset, store)
}

// sealed counts secrets by the bytes that they begin with.
type sealed interface {
	SealedBy(ctx context.Context, length int) (map[string]int, error)
}

func keyUses(ctx context.Context, keyset *secrets.Keyset, in sealed) ([]KeyUse, error) {
	keys, err := keyset.Keys(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := in.SealedBy(ctx, secrets.PrefixLength)
	if err != nil {
		return nil, err
	}
	uses := make([]KeyUse, len(keys))
	for i, key := range keys {
		prefix := string(key.Prefix())
		uses[i] = KeyUse{Key: key, Secrets: counts[prefix]}
		delete(counts, prefix)
	}
	for prefix, n := range counts {
		return uses, deployment.PlatformFailure("keys.unknown", "put the key back: take the keyset from a backup, or from another host",
			"%d secrets were sealed by a key (prefix %x) that is not in %s", n, prefix, keyset.Path())
	}
	return uses, nil
}

// Rotated is what RotateKeys has done.
type Rotated struct {
	Key      secrets.Key
	Finished bool // a rotation that was stopped on the way was finished, and no key was made
	Resealed int  // secrets that were encrypted anew
}

// PrepareKey adds the key that the next rotation will seal with.
func PrepareKey(ctx context.Context, m config.Dev) (secrets.Key, error) {
	keyset, err := openKeyset(ctx, m.Postgres)
	if err != nil {
		return secrets.Key{}, err
	}
	return keyset.Prepare(ctx)
}

// RotateKeys makes a new key the one that everything is sealed with, and encrypts every secret in Postgres with it. The file comes
// before the secrets, and keeps the old keys: killed anywhere, everything can be read, and the next call does the rest.
func RotateKeys(ctx context.Context, m config.Dev, store *postgres.Store) (Rotated, error) {
	keyset, err := openKeyset(ctx, m.Postgres)
	if err != nil {
		return Rotated{}, err
	}
	uses, err := keyUses(ctx, keyset, store)
	if err != nil {
		return Rotated{}, err
	}
	var done Rotated
	for _, use := range uses {
		done.Finished = done.Finished || use.State == secrets.Old && use.Secrets > 0
		if use.State == secrets.Primary {
			done.Key = use.Key
		}
	}
	if !done.Finished {
		if done.Key, err = keyset.Rotate(ctx); err != nil {
			return done, err
		}
	}
	done.Resealed, err = store.Reseal(ctx, done.Key.Prefix())
	if err != nil {
		return done, fmt.Errorf("%w: everything can be read; rotate again to do the rest", err)
	}
	return done, nil
}

// Pruned is what PruneKeys has done.
type Pruned struct {
	Removed  []secrets.Key
	Secrets  []secrets.Key // kept: secrets in Postgres need them
	Payloads []secrets.Key // kept: histories or schedules in Temporal need them
}

// PruneKeys removes the old keys that nothing needs any more, neither a secret in Postgres nor a payload in Temporal.
func PruneKeys(ctx context.Context, m config.Dev, store *postgres.Store, log *slog.Logger) (Pruned, error) {
	keyset, err := openKeyset(ctx, m.Postgres)
	if err != nil {
		return Pruned{}, err
	}
	uses, err := keyUses(ctx, keyset, store)
	if err != nil {
		return Pruned{}, err
	}
	var done Pruned
	candidates := map[string]secrets.Key{}
	for _, use := range uses {
		switch {
		case use.State != secrets.Old:
		case use.Secrets > 0:
			done.Secrets = append(done.Secrets, use.Key)
		default:
			candidates[string(use.Prefix())] = use.Key
		}
	}
	if done.Payloads, err = neededByTemporal(ctx, m.Temporal, candidates, log); err != nil {
		return done, err
	}
	for _, key := range candidates {
		done.Removed = append(done.Removed, key)
	}
	ids := make([]uint32, len(done.Removed))
	for i, key := range done.Removed {
		ids[i] = key.ID
	}
	if len(ids) == 0 {
		return done, nil
	}
	return done, keyset.Remove(ctx, ids...)
}

// neededByTemporal takes the keys out of candidates that payloads in the namespace were encrypted with, and returns them.
func neededByTemporal(ctx context.Context, c config.Temporal, candidates map[string]secrets.Key, log *slog.Logger) ([]secrets.Key, error) {
	if len(candidates) == 0 {
		return nil, nil
	}
	client, err := sdkclient.DialContext(ctx, temporalOptions(c, log))
	if err != nil {
		return nil, deployment.TransientFailure("temporal.unreachable", "start Temporal: what it keeps may need the old keys",
			"connect to temporal at %s: %w", c.Addr, err)
	}
	defer client.Close()
	var needed []secrets.Key
	err = codec.Uses(ctx, client.WorkflowService(), c.Namespace, func(sealed []byte) bool {
		prefix := string(sealed[:min(len(sealed), secrets.PrefixLength)])
		if key, known := candidates[prefix]; known {
			needed = append(needed, key)
			delete(candidates, prefix)
		}
		return len(candidates) > 0
	})
	if err != nil {
		return needed, fmt.Errorf("look for payloads in temporal at %s: %w", c.Addr, err)
	}
	return needed, nil
}
