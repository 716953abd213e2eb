package deployment

import (
	"crypto/rand"
	"crypto/sha256"
	"regexp"
	"time"
)

// Token lets whoever knows its secret use the API. The secret itself is shown once and stored nowhere.
type Token struct {
	ID         string
	Name       string
	CreatedAt  time.Time
	LastUsedAt *time.Time // to the minute; nil when it was never used
	ExpiresAt  *time.Time // nil: never
}

// Expired reports whether the token is of no use any more.
func (t Token) Expired(now time.Time) bool { return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) }

// NewTokenSecret makes the secret of a token: 260 random bits behind a prefix by which scanners for leaked secrets know it.
func NewTokenSecret() string { return "slipway_" + rand.Text() + rand.Text() }

// HashToken returns what is stored of a secret. A plain SHA-256 is enough: nobody can try 2^260 secrets.
func HashToken(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@/-]{0,62})$`)

// ValidateTokenName checks a token's name: it stands in the access log and is what people type.
func ValidateTokenName(name string) *FieldError {
	const fix = "use 1 to 63 letters, digits, dots, hyphens, _, @ and /, starting with a letter or digit; say whose it is, such as ci/shop"
	switch {
	case !tokenName.MatchString(name):
		return fieldError("name", fix, "is not the name of a token")
	case uuidShape.MatchString(name):
		return fieldError("name", fix, "looks like an id, so that the two could not be told apart")
	}
	return nil
}

// ValidateTokenExpiry checks when a token is to expire; nil is never.
func ValidateTokenExpiry(at *time.Time, now time.Time) *FieldError {
	if at != nil && !at.After(now) {
		return fieldError("expires_at", "give a time to come, or leave it out for a token that does not expire", "is not in the future")
	}
	return nil
}
