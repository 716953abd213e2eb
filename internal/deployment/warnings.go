package deployment

import (
	"fmt"
	"slices"
	"strings"
)

// Warning is something about a deployment that its owner should know, with where it comes from and what to do.
type Warning struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"` // 0 when it is about the file as a whole
	Fix      string   `json:"fix,omitempty"`
}

// Severity says how much a warning matters.
type Severity string

// The severities: what likely breaks or surprises, and what is good to know.
const (
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// WarningKind is what all warnings of a code have in common.
type WarningKind struct {
	Code     string
	Severity Severity
	Meaning  string
	Example  string
	Fix      string
}

// NewWarning returns a warning with the severity and the fix of its code. file and line are where it comes from.
func NewWarning(code, file string, line int, format string, args ...any) Warning {
	kind, ok := warningKind(code)
	if !ok {
		panic("deployment: no kind of warning " + code) // a test raises every kind
	}
	return Warning{Code: code, Severity: kind.Severity, File: file, Line: line, Message: fmt.Sprintf(format, args...), Fix: kind.Fix}
}

// Fixed returns w with a fix that says more than the one of its kind.
func (w Warning) Fixed(format string, args ...any) Warning {
	w.Fix = fmt.Sprintf(format, args...)
	return w
}

// String returns the warning on one line, without its fix: the code, where it comes from, and what it says.
func (w Warning) String() string {
	where := ""
	if w.File != "" && w.Line > 0 {
		where = fmt.Sprintf("%s:%d: ", w.File, w.Line)
	} else if w.File != "" {
		where = w.File + ": "
	}
	return string(w.Severity) + " " + w.Code + ": " + where + w.Message
}

func warningKind(code string) (WarningKind, bool) {
	kinds := WarningKinds()
	i := slices.IndexFunc(kinds, func(k WarningKind) bool { return k.Code == code })
	if i < 0 {
		return WarningKind{}, false
	}
	return kinds[i], true
}

// Refused returns those of the warnings that the setting strict does not let pass: of "all" those that likely break
// something, and every one whose code it names.
func (s BuildSettings) Refused(warnings []Warning) []Warning {
	var refused []Warning
	for _, w := range warnings {
		all := w.Severity == SeverityWarning && slices.Contains(s.Strict, StrictAll)
		if all || slices.Contains(s.Strict, w.Code) {
			refused = append(refused, w)
		}
	}
	return refused
}

// nearCodes returns up to three codes that may be meant by one that does not exist.
func nearCodes(code string) []string {
	type near struct {
		code     string
		distance int
	}
	var found []near
	area, _, _ := strings.Cut(code, ".")
	for _, k := range WarningKinds() {
		d := editDistance(code, k.Code)
		if d <= len(k.Code)/3 || strings.HasPrefix(k.Code, area+".") {
			found = append(found, near{k.Code, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.distance - b.distance })
	var codes []string
	for _, n := range found[:min(len(found), 3)] {
		codes = append(codes, n.code)
	}
	return codes
}

// editDistance counts the characters to insert, remove or replace to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
