package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/config"
)

// record is what `up` notes of the slipway-dev that it starts, to tell later whether that still is as it should be.
type record struct {
	PID       int               `json:"pid"`
	AirGapped bool              `json:"air_gapped"`      // up chose that profile by itself
	Made      map[string]string `json:"made_of_digests"` // program, file or variable, with a digest: no value is written down
}

// readRecord returns what the last `up` noted; ok is false when none did, or a `down` came after it.
func readRecord(p paths) (r record, ok bool, err error) {
	data, err := os.ReadFile(p.record())
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, false, nil //nolint:nilerr // cut short by a crash: as good as none
	}
	return r, true, nil
}

func (r record) write(p paths) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(p.record(), data, 0o600)
}

// ofTheCLI are variables that start like slipway-dev's and mean nothing to it.
var ofTheCLI = []string{"SLIPWAY_TOKEN", "SLIPWAY_API_URL"}

// fingerprint takes the digest of everything that slipway-dev is made of when it starts: programs, files, SLIPWAY_* variables.
func fingerprint(c config.Dev, programs, environ []string) (map[string]string, error) {
	made := map[string]string{}
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "SLIPWAY_") && !slices.Contains(ofTheCLI, name) {
			made[name] = digest([]byte(value))
		}
	}
	for _, path := range programs {
		var err error
		if made[filepath.Base(path)], err = fileDigest(path); err != nil {
			return nil, err
		}
	}
	file, _ := lookUp(environ, "SLIPWAY_CONFIG")
	for _, path := range []string{cmp.Or(file, "slipway.yaml"), c.Planner.Overrides} {
		sum, err := fileDigest(path)
		switch {
		case err == nil:
			made[filepath.Base(path)] = sum
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if c.Registry.ImagesDir != "" {
		images, err := filepath.Glob(filepath.Join(c.Registry.ImagesDir, "*.json")) // their names hold their digests
		if err != nil {
			return nil, err
		}
		made["base images"] = digest([]byte(strings.Join(images, "\n")))
	}
	return made, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// changed names what differs between two fingerprints, in alphabetical order.
func changed(before, after map[string]string) []string {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return before[name] == after[name] })
	return slices.Sorted(maps.Keys(names))
}

// lookUp returns a variable of environ, and whether it is there at all. The last one counts, as for os/exec.
func lookUp(environ []string, name string) (value string, ok bool) {
	for _, v := range slices.Backward(environ) {
		if n, value, _ := strings.Cut(v, "="); n == name {
			return value, true
		}
	}
	return "", false
}
