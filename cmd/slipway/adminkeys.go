package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/secrets"
)

const keysNote = `

Runs on the machine itself, with the settings that slipway runs with and the right to read its keyset (SLIPWAY_KEYSET_FILE) and
its database; slipway goes on meanwhile.`

func (c *cli) adminKeys() *cobra.Command {
	return c.group(&cobra.Command{
		Use: "keys", Short: "List, rotate and wrap the keys that encrypt secrets",
		Long: `The values of env vars and git credentials are encrypted in Postgres, payloads in Temporal too where
SLIPWAY_TEMPORAL_ENCRYPTION is on, with the keys of one file: the keyset. Everything new is sealed with its primary key; old keys stay
for what they have sealed. A key in AWS KMS may wrap the file (SLIPWAY_KEYSET_KMS).` + keysNote,
		Example: "  sudo -E slipway admin keys list\n  sudo -E slipway admin keys rotate\n  sudo -E slipway admin keys prune\n  sudo -E slipway admin keys wrap",
	}, c.adminKeysList(), c.adminKeysRotate(), c.adminKeysPrune(), c.adminKeysWrap(), c.adminKeysUnwrap())
}

// shownKey is a key as it is answered.
type shownKey struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Secrets int    `json:"secrets"`
}

func (c *cli) adminKeysList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the keys, and how many secrets each has sealed", Args: cobra.NoArgs,
		Long:    "List the keys with how many secrets in Postgres each has sealed: primary seals, old only reads, prepared will seal after the next rotation. Nothing of a key itself is shown." + keysNote,
		Example: "  sudo -E slipway admin keys list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onMachine(cmd.Context(), func(m config.Dev, store *postgres.Store) error {
				uses, err := roles.Keys(cmd.Context(), m, store)
				if err != nil {
					return err
				}
				shown := make([]shownKey, len(uses))
				t := newTable("KEY", "STATE", "SECRETS")
				for i, use := range uses {
					shown[i] = shownKey{keyName(use.Key), string(use.State), use.Secrets}
					t.add(shown[i].ID, shown[i].State, strconv.Itoa(use.Secrets))
				}
				return c.print(map[string]any{"items": shown}, func() error { return c.printTable(t) })
			})
		},
	}
}

func (c *cli) adminKeysRotate() *cobra.Command {
	var prepare bool
	command := &cobra.Command{
		Use: "rotate", Short: "Encrypt with a new key from now on, and all secrets anew", Args: cobra.NoArgs,
		Long: `Make a new key, encrypt with it from now on, and encrypt every secret in Postgres anew. Running processes follow at once. Stopped
on the way, everything can still be read, and the next call finishes it instead of making another key. The old key stays in the
file, for payloads in Temporal and for older backups; ` + "`slipway admin keys prune`" + ` removes it.

Where each host has a keyset file of its own, first give all of them the new key: --prepare adds it without using it; copy the
file to every host, then rotate here, and copy it again. A retry after a rotation plans and builds again.` + keysNote,
		Example: `  sudo -E slipway admin keys rotate
  sudo -E slipway admin keys rotate --prepare    # several hosts: then copy keyset.json to each, and rotate
  docker compose -f deploy/compose.yaml run --rm --no-deps migrate admin keys rotate`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onMachine(cmd.Context(), func(m config.Dev, store *postgres.Store) error {
				if prepare {
					return c.prepareKey(cmd.Context(), m)
				}
				done, err := roles.RotateKeys(cmd.Context(), m, store)
				if err != nil {
					return err
				}
				answer := map[string]any{"key": keyName(done.Key), "finished_earlier": done.Finished, "resealed": done.Resealed}
				return c.print(answer, func() error {
					if done.Finished {
						c.say("a rotation had been stopped on the way: it was finished, and no other key was made")
					}
					return c.line("key %s seals now; %s encrypted anew", keyName(done.Key), counted(done.Resealed, "secret was", "secrets were"))
				})
			})
		},
	}
	command.Flags().BoolVar(&prepare, "prepare", false, "add the new key to the file without sealing with it yet")
	return command
}

func (c *cli) prepareKey(ctx context.Context, m config.Dev) error {
	key, err := roles.PrepareKey(ctx, m)
	if err != nil {
		return err
	}
	return c.print(map[string]any{"key": keyName(key), "file": m.Postgres.Keyset}, func() error {
		return c.line("key %s is prepared: copy %s to every host, then rotate", keyName(key), m.Postgres.Keyset)
	})
}

func (c *cli) adminKeysPrune() *cobra.Command {
	return &cobra.Command{
		Use: "prune", Short: "Remove old keys that nothing needs any more", Args: cobra.NoArgs,
		Long: `Remove the old keys that have sealed neither a secret in Postgres nor a payload that Temporal still keeps; a history is kept for
SLIPWAY_TEMPORAL_RETENTION, the reconcile schedule's payloads until a worker starts. All histories are read for that, about a
thousand a second. A backup holds the keys that it needs itself. Where each host has a keyset file of its own, copy it to all of
them before and afterwards.` + keysNote,
		Example: "  sudo -E slipway admin keys prune",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onMachine(cmd.Context(), func(m config.Dev, store *postgres.Store) error {
				done, err := roles.PruneKeys(cmd.Context(), m, store, c.logger(m.Log))
				if err != nil {
					return err
				}
				answer := map[string][]string{
					"removed": keyNames(done.Removed), "needed_by_secrets": keyNames(done.Secrets), "needed_by_temporal": keyNames(done.Payloads),
				}
				return c.print(answer, func() error {
					if len(done.Secrets) > 0 {
						c.say("needed by secrets in Postgres, `slipway admin keys rotate` finishes that: %s", strings.Join(keyNames(done.Secrets), ", "))
					}
					if len(done.Payloads) > 0 {
						c.say("needed by what Temporal keeps: %s", strings.Join(keyNames(done.Payloads), ", "))
					}
					return c.line("%s removed", counted(len(done.Removed), "key", "keys"))
				})
			})
		},
	}
}

func keyName(key secrets.Key) string { return fmt.Sprint(key.ID) }

func keyNames(keys []secrets.Key) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = keyName(key)
	}
	return names
}
