package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// SocketDir is the folder for the unix sockets of slipway-dev's children. A socket's path has about 100 characters at most, and
// a data directory may lie deeper than that.
func (d *Dev) SocketDir() string {
	sum := sha256.Sum256([]byte(d.DataDir))
	return filepath.Join("/run/slipway", hex.EncodeToString(sum[:6]))
}

// PostgresSocketDir is the folder for the socket of slipway-dev's own Postgres.
func (d *Dev) PostgresSocketDir() string { return filepath.Join(d.SocketDir(), "postgres") }

// OwnBuildKit is the address of slipway-dev's own buildkitd.
func (d *Dev) OwnBuildKit() string { return "unix://" + filepath.Join(d.SocketDir(), "buildkitd.sock") }

// Builders are where builds are sent: the builders that are configured, else slipway-dev's own.
func (d *Dev) Builders() []string {
	if len(d.BuildKit.Addrs) > 0 {
		return d.BuildKit.Addrs
	}
	return []string{d.OwnBuildKit()}
}

// CacheDir is where the Makefile's scripts put what is slow to make.
func CacheDir(environ []string) (string, error) {
	for _, v := range environ {
		if dir, ok := strings.CutPrefix(v, "SLIPWAY_CACHE="); ok && dir != "" {
			return dir, nil
		}
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "slipway"), err
}
