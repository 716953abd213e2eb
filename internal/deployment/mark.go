package deployment

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Mark returns five letters and digits that tell texts apart in names of containers and networks. Names that end in one have at most
// the 63 characters of a DNS label: Docker's own DNS knows containers and networks by their names.
func Mark(of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\n")))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))[:5]
}
