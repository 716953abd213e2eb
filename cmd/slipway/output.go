package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// print writes value as JSON, or calls asTable, as --output says.
func (c *cli) print(value any, asTable func() error) error {
	if !c.json() {
		return asTable()
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// printLine writes value as one line of JSON.
func (c *cli) printLine(value any) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// line writes one line to standard output.
func (c *cli) line(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdout, format+"\n", args...)
	return err
}

// colour is an SGR code; all have two digits, which keeps coloured columns aligned.
type colour string

const (
	plain  colour = "39"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	blue   colour = "34"
)

func (c *cli) coloured() bool { return c.screen.stdout && c.env("NO_COLOR") == "" }

func paint(on bool, with colour, s string) string {
	if !on {
		return s
	}
	return "\x1b[" + string(with) + "m" + s + "\x1b[0m"
}

func (c *cli) paintErr(with colour, s string) string {
	return paint(c.screen.stderr && c.env("NO_COLOR") == "", with, s)
}

// escapes matches the control sequences that build tools colour their output with.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)")

// clean takes control characters out of text that others wrote: it must not steer the reader's terminal.
func clean(s string) string { return cleanKeeping(s, "\t") }

func cleanKeeping(s, keep string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune(keep, r) {
			return -1
		}
		return r
	}, escapes.ReplaceAllString(s, ""))
}

// text returns what p points to, "" for nil.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// short returns a commit's first digits.
func short(commit *string) string {
	s := text(commit)
	return s[:min(len(s), 7)]
}

// took writes a duration as people say it: 0.4s, 12s, 3m05s, 2h07m.
func took(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// clock is how times of day are written.
const clock = "15:04:05"

// stamp writes a time with date and zone, "-" for none.
func (c *cli) stamp(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.In(c.location).Format("2006-01-02 15:04:05 MST")
}
