package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/backup"
	"github.com/slipway-dev/slipway/internal/config"
)

func (c *cli) adminRestore() *cobra.Command {
	var o roles.RestoreOptions
	command := &cobra.Command{
		Use: "restore FILE", Short: "Make this machine the installation that a backup is of", Args: cobra.ExactArgs(1),
		Long: `Fill an empty database from a backup that ` + "`slipway admin backup`" + ` has written, and put its keys in place: the database of
SLIPWAY_DATABASE_URL, before ` + "`slipway migrate`" + ` has run there; else that of slipway-dev, in an empty data directory (SLIPWAY_DATA_DIR)
before its first start. FILE is checked whole first, and all of it is restored or nothing. - reads standard input. The backup may be of
an older slipway, not of a newer one.

Projects, env vars, history and tokens are as they were; a new admin token is written to the data directory, for whoever has none.
Nothing runs yet: once slipway is started, every environment that was live is deployed again, with its image where the registry
still has it, else by building the same commit. Deployments that were under way have failed (deploy.restored): retry those that
are still wanted. The old installation must not run any more, as both would think that they own the same.

Settings are those of this machine; ` + "`unzip -p FILE configuration.env`" + ` shows the old ones. Keep SLIPWAY_PREVIEW_DOMAIN: the host names of
environments are restored with it.`,
		Example: `  sudo -E slipway admin restore /backup/slipway.zip     # slipway-dev: then make up
  SLIPWAY_DATABASE_URL=postgres://slipway@db/slipway slipway admin restore slipway.zip   # then slipway migrate, and the other roles
  docker compose -f deploy/compose.yaml run --rm -T migrate admin restore - < slipway.zip   # then up`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := config.LoadMachine(config.Environ())
			if err != nil {
				return faulty(err)
			}
			o.Tell, o.Log = func(text string) { c.say("%s", text) }, c.logger(m.Log)
			return c.openBackup(m, args[0], func(b *backup.Backup) error { return c.restore(cmd.Context(), m, b, o) })
		},
	}
	command.Flags().BoolVar(&o.HostsRemain, "hosts-remain", false,
		"the build and preview hosts of the backup are still there, and only the database was lost: let them remove what they hold")
	return command
}

// openBackup reads a backup; one from standard input is kept in the data directory meanwhile.
func (c *cli) openBackup(m config.Dev, path string, do func(*backup.Backup) error) error {
	var file *os.File
	var err error
	if path == "-" {
		file, err = spool(m.DataDir, c.stdin)
	} else {
		file, err = os.Open(path)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c.say("checking %d MB", info.Size()>>20)
	b, err := backup.Open(file, info.Size())
	if err != nil {
		return withFix(prefixed(path+": ", err))
	}
	return do(b)
}

// spool copies what is read into a file that has no name.
func spool(dir string, from io.Reader) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "restore-*")
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	if _, err := io.Copy(file, from); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// restoredAnswer is what `slipway admin restore` answers.
type restoredAnswer struct {
	Backup         backup.Manifest `json:"backup"`
	Failed         int             `json:"ended_under_way"`
	Queued         int             `json:"environments_queued"`
	AdminTokenFile string          `json:"admin_token_file"`
}

func (c *cli) restore(ctx context.Context, m config.Dev, b *backup.Backup, o roles.RestoreOptions) error {
	done, err := roles.Restore(ctx, m, b, o)
	if err != nil {
		return withFix(err)
	}
	if len(done.LeftOut) > 0 {
		c.say("left out, since they are not slipway's: tables %s", strings.Join(done.LeftOut, ", "))
	}
	if b.PreviewDomain != m.Gateway.Domain {
		c.say("environments keep their host names under %s: set SLIPWAY_PREVIEW_DOMAIN=%s, and lead that domain here", b.PreviewDomain, b.PreviewDomain)
	}
	answer := restoredAnswer{Backup: b.Manifest, Failed: done.Ended, Queued: done.Again, AdminTokenFile: done.Token.File}
	return c.print(answer, func() error {
		c.say("tokens are valid as before; a new admin token lies in %s", done.Token.File)
		if done.Ended > 0 {
			c.say("%s under way and will not go on (deploy.restored): retry what is still wanted", counted(done.Ended, "deployment was", "deployments were"))
		}
		if done.Again > 0 {
			c.say("%s live: each is deployed again once slipway is started", counted(done.Again, "environment was", "environments were"))
		}
		return c.line("restored %s", holds(b.Manifest))
	})
}
