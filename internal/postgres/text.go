package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// isText reports whether Postgres can hold s: valid UTF-8 without NUL. What it cannot hold it does not hold either, so a
// search for it finds nothing.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// asText makes s storable; a repository's own files may hold anything.
func asText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func failureJSON(f *deployment.Failure) ([]byte, error) {
	if f == nil {
		return nil, nil
	}
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode failure: %w", err)
	}
	return data, nil
}

// fromJSON decodes a nullable column into a new T, nil for NULL.
func fromJSON[T any](data []byte, column string) (*T, error) {
	if data == nil {
		return nil, nil
	}
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("decode %s: %w", column, err)
	}
	return v, nil
}
