package buildkit

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// How much work a fingerprint takes, about 50 ms: steps see it in /etc/hosts, so it must not help to guess a short secret.
const (
	fingerprintRounds = 200_000
	fingerprintBytes  = 8
)

// secretsFingerprint changes with the scope and with every name and value of secrets, and tells nothing about them.
func secretsFingerprint(scope string, secrets map[string]string) (string, error) {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		fmt.Fprintf(&all, "%q=%q\n", name, secrets[name])
	}
	sum, err := pbkdf2.Key(sha256.New, all.String(), []byte(scope), fingerprintRounds, fingerprintBytes)
	return hex.EncodeToString(sum), err
}
