package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// stableHostID returns the host id of a data directory: what its first start was called, whatever the machine is called
// by now. Queues and the ledger name the host by it; under another name the previews of this very machine would belong
// to nobody.
func stableHostID(path, configured string) (string, error) {
	noted, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return configured, os.WriteFile(path, []byte(configured+"\n"), 0o600)
	}
	return strings.TrimSpace(string(noted)), err
}
