package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
)

const kmsNote = `

Both forms hold the same keys, so running processes go on with what they know; they look for the form that their settings name when
they start, or when the keys change. So change the form, then the setting of every role, then start them again, and rotate no key
meanwhile. Needs the keyset file and KMS, not the database.`

func (c *cli) adminKeysWrap() *cobra.Command {
	return &cobra.Command{
		Use: "wrap", Short: "Wrap the keyset file with the key of KMS that SLIPWAY_KEYSET_KMS names", Args: cobra.NoArgs,
		Long: `Encrypt the keyset file with the key in AWS KMS that SLIPWAY_KEYSET_KMS names: whoever gets the file, or a backup of it, then needs that
key too. What KMS has encrypted is decrypted once before it takes the file's place. A file that is wrapped already is left alone,
once that key has opened it; for another key, unwrap with the old one and wrap with the new one. Copies in clear may be left in
backups: rotate the keys once all roles have the setting, and prune.` + kmsNote,
		Example: `  export SLIPWAY_KEYSET_KMS=aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
  sudo -E slipway admin keys wrap`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.rewriteKeyset(cmd.Context(), roles.WrapKeys, "wrapped with", "%s was wrapped before, and %s opens it")
		},
	}
}

func (c *cli) adminKeysUnwrap() *cobra.Command {
	return &cobra.Command{
		Use: "unwrap", Short: "Put the keys of a wrapped keyset file into it in clear", Args: cobra.NoArgs,
		Long: `Decrypt the keyset file with the key in AWS KMS that SLIPWAY_KEYSET_KMS names, and leave the keys there in clear, readable by the
file's owner only: to go without KMS, or before the file is wrapped with another key.` + kmsNote,
		Example: "  sudo -E slipway admin keys unwrap    # with SLIPWAY_KEYSET_KMS still set; then unset it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.rewriteKeyset(cmd.Context(), roles.UnwrapKeys, "in clear, no more wrapped with", "%s was in clear before: unset SLIPWAY_KEYSET_KMS (%s)")
		},
	}
}

// rewriteKeyset changes the form of the keyset file of this machine and says what came of it.
func (c *cli) rewriteKeyset(ctx context.Context, rewrite func(context.Context, config.Postgres) (bool, error), done, before string) error {
	m, err := config.LoadMachine(config.Environ())
	if err != nil {
		return faulty(err)
	}
	changed, err := rewrite(ctx, m.Postgres)
	if err != nil {
		return withFix(err)
	}
	answer := map[string]any{"file": m.Postgres.Keyset, "kms": m.Postgres.KeysetKMS, "changed": changed}
	return c.print(answer, func() error {
		if !changed {
			return c.line(before, m.Postgres.Keyset, m.Postgres.KeysetKMS)
		}
		return c.line("%s is now %s %s", m.Postgres.Keyset, done, m.Postgres.KeysetKMS)
	})
}
