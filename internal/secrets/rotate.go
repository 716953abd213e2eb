package secrets

import (
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Rotate adds a new key to the file and encrypts with it from now on, here and in every process that has the file open.
// Older keys stay, so that what they sealed can be read.
func (k *Keyset) Rotate(ctx context.Context) error {
	err := k.change(ctx, func(m *keyset.Manager) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return fmt.Errorf("add key: %w", err)
		}
		return m.SetPrimary(id)
	})
	if err != nil {
		return fmt.Errorf("rotate keyset: %w", err)
	}
	return nil
}

// change puts other keys into the file, from those that it holds now, while nobody else changes it.
func (k *Keyset) change(ctx context.Context, edit func(*keyset.Manager) error) error {
	unlock, err := lock(ctx, k.path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := k.load(); err != nil {
		return err
	}
	k.mu.RLock()
	manager := keyset.NewManagerFromHandle(k.handle)
	k.mu.RUnlock()
	if err := edit(manager); err != nil {
		return err
	}
	handle, err := manager.Handle()
	if err != nil {
		return err
	}
	if err := replace(k.path, handle); err != nil {
		return err
	}
	return k.load()
}
