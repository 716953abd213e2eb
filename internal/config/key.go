package config

import (
	"fmt"
	"strings"
)

// key declares one setting.
type key struct {
	env     string // variable
	path    string // place in the file, parts joined by dots
	initial string // default, as text
	value   value  // where the text goes
	doc     string // one or two sentences for docs/configuration.md
	secret  bool   // its value is never shown
}

// set gives the key's field its value; from names where the text stands.
func (k key) set(from, s string) (Fault, bool) {
	err := k.value(s)
	if err == nil {
		return Fault{}, true
	}
	problem := fmt.Sprintf("%q does not fit", s)
	switch {
	case s == "":
		problem = "is empty"
	case k.secret:
		problem = "its value does not fit"
	}
	return Fault{Key: from, Problem: problem, Fix: err.Error()}, false
}

// plain turns a value of the file into the text that a variable would hold; ok is false for a section.
func plain(v any) (s string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case map[string]any:
		return "", false
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			if parts[i], ok = plain(part); !ok {
				return "", false
			}
		}
		return strings.Join(parts, ","), true
	default:
		return fmt.Sprint(v), true
	}
}
