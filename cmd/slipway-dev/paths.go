package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-dev/slipway/internal/config"
)

// paths are the places in the data directory.
type paths struct{ config.Dev }

func (p paths) run() string            { return filepath.Join(p.DataDir, "run") }
func (p paths) lock() string           { return filepath.Join(p.DataDir, "slipway-dev.lock") }
func (p paths) log(name string) string { return filepath.Join(p.DataDir, "log", name+".log") }
func (p paths) token() string          { return filepath.Join(p.DataDir, "admin.token") }
func (p paths) installation() string   { return filepath.Join(p.DataDir, "installation") }
func (p paths) hostID() string         { return filepath.Join(p.DataDir, "host.id") }
func (p paths) progress() string       { return filepath.Join(p.DataDir, "run", "progress.log") }
func (p paths) record() string         { return filepath.Join(p.DataDir, "started.json") }
func (p paths) registry() string       { return filepath.Join(p.DataDir, "registry") }
func (p paths) examples() string       { return filepath.Join(p.DataDir, "examples") }

// owned matches everything that slipway-dev makes in its data directory.
var owned = []string{
	"admin.token*", "buildkit", "examples", "host.id", "installation", "keyset.json*", "log", "postgres*", "registry", "run",
	"slipway-dev.*", "started.json", "temporal.db*", "workspaces",
}

// purge removes what slipway-dev has made, and the data directory unless it holds something else: who set SLIPWAY_DATA_DIR
// to a folder with files of their own keeps those.
func (p paths) purge() (left []string, err error) {
	entries, err := os.ReadDir(p.DataDir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		ours := func(pattern string) bool { ok, _ := filepath.Match(pattern, e.Name()); return ok }
		if !slices.ContainsFunc(owned, ours) {
			left = append(left, e.Name())
			continue
		}
		if err := os.RemoveAll(filepath.Join(p.DataDir, e.Name())); err != nil {
			return left, err
		}
	}
	if len(left) == 0 {
		err = os.Remove(p.DataDir)
	}
	return left, errors.Join(err, os.RemoveAll(p.SocketDir()))
}

// binary returns a program of ours: in SLIPWAY_BIN_DIR, else beside this one.
func (p paths) binary(name string) (string, error) {
	dir := p.BinDir
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(self)
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is missing: run `make build`, or set SLIPWAY_BIN_DIR to the folder that holds it", path)
	}
	return path, nil
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
