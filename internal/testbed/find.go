package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Cache returns the folder of what is slow to make and kept between runs: SLIPWAY_CACHE, else ~/.cache/slipway.
func Cache() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".cache", "slipway"), nil
}

// Binary returns the path of a program that `make build` makes: what the environment's variable says, else that of the
// repository's bin, else that of the cache.
func Binary(name, variable string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		return path, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	for _, path := range []string{filepath.Join(root, "bin", name), filepath.Join(cache, "bin", name)} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s: make it with `make build`, or name one in %s", name, variable)
}

// Tool returns the path of a program of a module below tools/, which is built when it is missing.
func Tool(module, name string) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	build := exec.Command(filepath.Join(root, "deploy", "dev", "tool.sh"), module)
	build.Stderr = os.Stderr
	folder, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", module, err)
	}
	return filepath.Join(strings.TrimSpace(string(folder)), name), nil
}

// repository returns the nearest folder above the test's that holds go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test's folder")
		}
		dir = parent
	}
}
