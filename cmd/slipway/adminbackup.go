package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
	"github.com/slipway-dev/slipway/internal/privatefile"
)

func (c *cli) adminBackup() *cobra.Command {
	var o roles.BackupOptions
	var force bool
	command := &cobra.Command{
		Use: "backup FILE", Short: "Write a backup of the installation while it runs", Args: cobra.ExactArgs(1),
		Long: `Write everything that a restore on another machine needs into one file: Postgres as it is at one moment, the keys that open the
secrets in it, and for people to read the settings (without passwords), the plan overrides, and the list of images that live
environments and rollbacks need. It holds neither images, which are pulled or built again, nor base images, caches or Temporal's
histories. FILE is a zip that nobody but its owner may read, or - for standard output; it appears when it is whole.

Whoever has the file can read every env var and git credential, unless a key of KMS wraps the keyset: keep it as you would keep
those.` + keysNote,
		Example: `  sudo -E slipway admin backup /backup/slipway.zip --force
  sudo -E slipway admin backup - --without-logs | age --recipient "$KEY" > slipway.zip.age
  unzip -p slipway.zip manifest.json     # what it holds; images.json and configuration.env are others
  docker compose -f deploy/compose.yaml run --rm --no-deps -T migrate admin backup - > slipway.zip`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" && c.screen.stdout {
				return &shownError{message: "a backup is no text for a terminal", fix: "name a file, or send standard output elsewhere", exit: exitUsage}
			}
			o.Version, o.Environ, o.Tell = buildVersion().Version, config.Environ(), func(text string) { c.say("%s", text) }
			return c.onMachine(cmd.Context(), func(m config.Dev, store *postgres.Store) error {
				if args[0] == "-" {
					_, err := roles.Backup(cmd.Context(), m, store, c.stdout, o)
					return err
				}
				done, err := backupTo(cmd.Context(), m, store, args[0], force, o)
				if err != nil {
					return err
				}
				return c.print(done, func() error {
					return c.line("%s holds %s; keep it like the secrets in it", args[0], holds(done))
				})
			})
		},
	}
	command.Flags().BoolVar(&o.WithoutLogs, "without-logs", false, "leave the logs of deployments out, which may be most of it")
	command.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	return command
}

// backupTo writes a backup to a file, which appears at once or not at all.
func backupTo(ctx context.Context, m config.Dev, store *postgres.Store, path string, force bool, o roles.BackupOptions) (done backup.Manifest, err error) {
	there := &shownError{message: path + " is there already", fix: "name another file, or pass --force to replace it", exit: exitUsage}
	if _, err := os.Stat(path); err == nil && !force {
		return done, there // before the work rather than after it
	}
	draft, err := privatefile.New(path)
	if err != nil {
		return done, err
	}
	defer draft.Discard()
	if done, err = roles.Backup(ctx, m, store, draft, o); err != nil {
		return done, err
	}
	if force {
		return done, draft.Replace()
	}
	if err = draft.Create(); errors.Is(err, fs.ErrExist) {
		err = there
	}
	return done, err
}

// holds says in words what is in a backup.
func holds(m backup.Manifest) string {
	n := func(table, one, many string) string { return counted(int(m.Rows(table)), one, many) }
	return fmt.Sprintf("%s, %s and %s as of %s", n("projects", "project", "projects"), n("environments", "environment", "environments"),
		n("deployments", "deployment", "deployments"), m.TakenAt.Format("2006-01-02 15:04:05 MST"))
}
