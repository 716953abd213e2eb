package logs

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

const (
	mask = "***"
	// minSecret is the length from which a value is hidden: "1" or "yes" would hide half of every log.
	minSecret = 4
)

// redactor hides values in texts. The zero redactor hides nothing.
type redactor struct {
	hidden []string
}

// newRedactor returns a redactor of values: whole, line by line, and as they look inside JSON, in base64 and in URLs.
func newRedactor(values []string) redactor {
	var r redactor
	for _, value := range values {
		forms := append(strings.FieldsFunc(value, func(c rune) bool { return c == '\n' || c == '\r' }), value)
		for _, form := range forms {
			r.hide(form, insideJSON(form, true), insideJSON(form, false))
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				r.hide(encoding.EncodeToString([]byte(form)), encoding.EncodeToString([]byte(form+"\n"))) // as echo has it
			}
		}
	}
	return r
}

// with returns a redactor that hides what r and other hide.
func (r redactor) with(other redactor) redactor {
	hidden := slices.Concat(r.hidden, other.hidden) // a new slice: r may be in use
	slices.Sort(hidden)
	return redactor{hidden: slices.Compact(hidden)}
}

func (r *redactor) hide(forms ...string) {
	for _, form := range forms {
		if trimmed := strings.TrimSpace(form); len(trimmed) >= minSecret {
			r.hidden = append(r.hidden, trimmed)
		}
	}
}

// insideJSON returns s as it stands between the quotes of a JSON string; encoders differ in whether they escape <, > and &.
func insideJSON(s string, escapeHTML bool) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escapeHTML)
	if err := encoder.Encode(s); err != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(out.String(), `"`), "\"\n")
}

// span is a part of a text.
type span struct{ from, to int }

// redact returns text with every hidden value replaced. Values that overlap are hidden as one, so that no end of the
// second shows.
func (r redactor) redact(text string) string {
	spans := r.spans(text)
	if strings.ContainsAny(text, "%+") {
		for _, space := range []byte{'+', ' '} { // a plus sign is one of the two
			plain, at := unescape(text, space)
			for _, s := range r.spans(plain) {
				spans = append(spans, span{at[s.from], at[s.to]})
			}
		}
	}
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out strings.Builder
	shown := 0 // how much of text is written or hidden
	for _, s := range spans {
		if s.from >= shown {
			out.WriteString(text[shown:s.from])
			out.WriteString(mask)
		}
		shown = max(shown, s.to)
	}
	out.WriteString(text[shown:])
	return out.String()
}

// spans finds the hidden values in a text.
func (r redactor) spans(text string) (spans []span) {
	for _, value := range r.hidden {
		for from := 0; ; {
			i := strings.Index(text[from:], value)
			if i < 0 {
				break
			}
			spans = append(spans, span{from + i, from + i + len(value)})
			from += i + 1
		}
	}
	return spans
}

// unescape undoes what URLs do to a text, whichever letters its writer leaves alone: encoders differ in many. at tells where each byte
// stood, and where the text ended.
func unescape(text string, plus byte) (plain string, at []int) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		at = append(at, i)
		switch c := text[i]; {
		case c == '+':
			out.WriteByte(plus)
		case c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			b, _ := hex.DecodeString(text[i+1 : i+3]) // both are digits
			out.Write(b)
			i += 2
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), append(at, len(text))
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// Redacting returns what hides values in texts, as a deployment's log hides its secrets.
func Redacting(values []string) func(text string) string { return newRedactor(values).redact }
