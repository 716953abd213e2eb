// Package secrets keeps what must not be read by others: Keyset encrypts values at rest with keys that can rotate, and
// ScrubURLs takes credentials out of texts that people will see.
package secrets
