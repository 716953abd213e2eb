// Package cluster makes and describes a private Postgres cluster from the system's binaries: on a unix socket only, in a
// directory of the caller's. It starts nothing; the caller runs what Args describe, as Account.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// MinVersion is the oldest major version of Postgres that slipway runs on.
const MinVersion = 15

// Cluster is where a cluster lies and how it is reached.
type Cluster struct {
	Dir       string   // data directory; made by Init
	SocketDir string   // holds the socket; its path has to be short (a socket's has 107 bytes at most)
	Settings  []string // further settings, name=value
	bin       string
	account   *syscall.Credential
}

// Find returns the cluster in dir, with the binaries in bin (those that this machine has when it is empty) and the account
// that there is for it.
func Find(bin, dir, socketDir string, settings ...string) (*Cluster, error) {
	bin, err := binaries(bin)
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	return &Cluster{Dir: dir, SocketDir: socketDir, Settings: settings, bin: bin, account: account}, nil
}

// Account returns whom to run the server as, nil for oneself. Postgres refuses root.
func (c *Cluster) Account() *syscall.Credential { return c.account }

// capDACReadSearch is CAP_DAC_READ_SEARCH of linux/capability.h.
const capDACReadSearch = 2

// Capabilities returns what the server needs to get to its data directory: the account that it runs as may not enter the
// folders above it (/root is closed to everybody else).
func (c *Cluster) Capabilities() []uintptr {
	if c.account == nil {
		return nil
	}
	return []uintptr{capDACReadSearch}
}

// Init makes the cluster when Dir holds none, and the folder of the socket. A cluster that was made half (its maker was
// killed) is made anew: only a finished one has the name Dir.
func (c *Cluster) Init(ctx context.Context) error {
	if err := c.ownFolder(c.SocketDir); err != nil {
		return fmt.Errorf("make folder of the socket: %w", err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "PG_VERSION")); err == nil {
		return c.checkVersion()
	}
	half := c.Dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if err := c.ownFolder(half); err != nil {
		return err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), "--pgdata", half, "--username", "slipway",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8")
	initdb.Env, initdb.Dir = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}, "/" // a working directory is entered before the capability counts
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: c.account, AmbientCaps: c.Capabilities()}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return os.Rename(half, c.Dir)
}

func (c *Cluster) ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if c.account == nil {
		return nil
	}
	return os.Chown(dir, int(c.account.Uid), int(c.account.Gid))
}

// checkVersion refuses a cluster that another major version made, before the server does so in words of its own.
func (c *Cluster) checkVersion() error {
	made, err := os.ReadFile(filepath.Join(c.Dir, "PG_VERSION"))
	if err != nil {
		return err
	}
	out, err := exec.Command(filepath.Join(c.bin, "postgres"), "--version").Output()
	if err != nil {
		return fmt.Errorf("ask postgres for its version: %w", err)
	}
	fields := strings.Fields(string(out)) // postgres (PostgreSQL) 15.18 (Debian ...)
	if len(fields) < 3 {
		return fmt.Errorf("postgres --version says %q", out)
	}
	have, _, _ := strings.Cut(fields[2], ".")
	if want := strings.TrimSpace(string(made)); have != want {
		return fmt.Errorf("the cluster in %s was made by Postgres %s, and %s is installed: install Postgres %s, or move the data by pg_dump", c.Dir, want, have, want)
	}
	return nil
}

// Path returns the server's executable.
func (c *Cluster) Path() string { return filepath.Join(c.bin, "postgres") }

// Args returns the server's arguments.
func (c *Cluster) Args() []string {
	args := []string{"-D", c.Dir, "-k", c.SocketDir, "-c", "listen_addresses="}
	for _, setting := range c.Settings {
		args = append(args, "-c", setting)
	}
	return args
}

// DSN returns how to connect to a database of the cluster.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("host=%s user=slipway dbname=%s", c.SocketDir, database)
}

// Ready reports whether the server answers.
func (c *Cluster) Ready(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// EnsureDatabase makes a database unless it is there.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

// binaries returns the folder of initdb and postgres: the one that is given, else the newest that Debian has installed, else
// that of PATH.
func binaries(given string) (string, error) {
	if given != "" {
		if _, err := exec.LookPath(filepath.Join(given, "initdb")); err != nil {
			return "", fmt.Errorf("%w: name the folder that holds initdb and postgres", err)
		}
		return given, nil
	}
	newest, best := "", MinVersion-1
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is valid
	for _, path := range found {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > best {
			newest, best = bin, version
		}
	}
	if newest != "" {
		return newest, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", fmt.Errorf("initdb of Postgres %d or newer is neither in /usr/lib/postgresql/*/bin nor on PATH: install the package postgresql", MinVersion)
}

// unprivileged returns the account to run the server as when this process is root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("postgres refuses to run as root, and there is no account postgres or nobody to run it as")
}
