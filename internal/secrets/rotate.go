package secrets

import (
	"context"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Prepare adds a key that nothing is sealed with yet, unless there is one: where each host has a file of its own, all get to
// know the key before the first seals with it.
func (k *Keyset) Prepare(ctx context.Context) (key Key, err error) {
	err = k.change(ctx, func(m *keyset.Manager, now []Key) error {
		if key = now[len(now)-1]; key.State == Prepared {
			return nil
		}
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		key = Key{ID: id, State: Prepared}
		return err
	})
	if err != nil {
		return Key{}, fmt.Errorf("prepare key: %w", err)
	}
	return key, nil
}

// Rotate seals with another key from now on, here and in every process that has the file open: the one that was prepared, else
// a new one. Older keys stay, so that what they sealed can be read.
func (k *Keyset) Rotate(ctx context.Context) (Key, error) {
	err := k.change(ctx, func(m *keyset.Manager, now []Key) error {
		id := now[len(now)-1].ID
		if now[len(now)-1].State != Prepared {
			var err error
			if id, err = m.Add(aead.AES256GCMKeyTemplate()); err != nil {
				return err
			}
		}
		return m.SetPrimary(id)
	})
	if err != nil {
		return Key{}, fmt.Errorf("rotate keyset: %w", err)
	}
	keys, err := k.Keys(ctx)
	return primaryOf(keys), err
}

// Remove takes old keys out of the file: what they have sealed can never be read again.
func (k *Keyset) Remove(ctx context.Context, ids ...uint32) error {
	err := k.change(ctx, func(m *keyset.Manager, now []Key) error {
		for _, key := range now {
			if key.State != Old || !slices.Contains(ids, key.ID) {
				continue
			}
			if err := m.Delete(key.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove keys: %w", err)
	}
	return nil
}

// Hold keeps the file as it is until release is called: nobody rotates it or removes a key.
func (k *Keyset) Hold(ctx context.Context) (release func(), err error) { return k.place.lock(ctx) }

// change puts other keys into the file, from those that it holds now, while nobody else changes it.
func (k *Keyset) change(ctx context.Context, edit func(m *keyset.Manager, now []Key) error) error {
	unlock, err := k.place.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := k.load(ctx); err != nil {
		return err
	}
	k.mu.RLock()
	before := k.handle
	k.mu.RUnlock()
	manager := keyset.NewManagerFromHandle(before)
	if err := edit(manager, keysOf(before)); err != nil {
		return err
	}
	handle, err := manager.Handle()
	if err != nil {
		return err
	}
	if err := k.place.replace(ctx, handle); err != nil {
		return err
	}
	return k.load(ctx)
}

// keysOf lists keys in their order in the file, in which each new one comes last.
func keysOf(handle *keyset.Handle) []Key {
	info := handle.KeysetInfo()
	keys := make([]Key, len(info.GetKeyInfo()))
	state := Old
	for i, key := range info.GetKeyInfo() {
		keys[i] = Key{ID: key.GetKeyId(), State: state}
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			keys[i].State, state = Primary, Prepared
		}
	}
	return keys
}
