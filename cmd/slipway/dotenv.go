package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variable is one assignment of a .env file.
type variable struct{ name, value string }

// envParser walks through a .env file. No error holds a value: it may be a secret.
type envParser struct {
	rest string
	line int
}

// parseEnv reads a .env file: blank lines, # comments, export, bare, 'literal' and "escaped" values, quoted ones over several
// lines. Nothing is expanded. The error names the line; for quotes that are not closed, the one where they open.
func parseEnv(content string) ([]variable, error) {
	content = strings.ReplaceAll(strings.TrimPrefix(content, "\ufeff"), "\r\n", "\n")
	if !utf8.ValidString(content) || strings.ContainsRune(content, 0) {
		return nil, &shownError{message: "is not UTF-8 text"}
	}
	p := &envParser{rest: content, line: 1}
	var vars []variable
	firstLine := map[string]int{}
	for {
		p.skipBlank()
		if p.rest == "" {
			return vars, nil
		}
		line := p.line
		v, err := p.assignment()
		if err != nil {
			return nil, err
		}
		if first, twice := firstLine[v.name]; twice {
			return nil, envError(line, fmt.Sprintf("%s is set a second time, first in line %d", v.name, first), "remove one of them")
		}
		firstLine[v.name] = line
		vars = append(vars, v)
	}
}

func envError(line int, message, fix string) error {
	return &shownError{message: fmt.Sprintf("line %d: %s", line, message), fix: fix}
}

// skipBlank goes to the next line that holds something else than a comment.
func (p *envParser) skipBlank() {
	for p.rest != "" {
		line, after, _ := strings.Cut(p.rest, "\n")
		if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
			return
		}
		p.rest = after
		p.line++
	}
}

func (p *envParser) assignment() (variable, error) {
	line, _, _ := strings.Cut(p.rest, "\n")
	name, _, assigned := strings.Cut(line, "=")
	if !assigned {
		return variable{}, envError(p.line, "has no =", "write NAME=value; quote a value that has several lines")
	}
	p.rest = strings.TrimLeft(p.rest[len(name)+1:], " \t")
	name = strings.TrimSpace(name)
	if after, exported := strings.CutPrefix(name, "export"); exported && after != strings.TrimLeft(after, " \t") {
		name = strings.TrimLeft(after, " \t")
	}
	if !variableName.MatchString(name) {
		return variable{}, envError(p.line, "what stands before = is not the name of a variable",
			"use letters, digits and underscores, not starting with a digit")
	}
	value, err := p.value(name)
	return variable{name: name, value: value}, err
}

func (p *envParser) value(name string) (string, error) {
	if p.rest != "" && (p.rest[0] == '"' || p.rest[0] == '\'') {
		return p.quoted(name, p.rest[0])
	}
	line, after, _ := strings.Cut(p.rest, "\n")
	p.rest = after
	p.line++
	if strings.HasPrefix(line, "#") {
		return "", nil
	}
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.TrimSpace(line), nil
}

// quoted reads up to the closing quote, over line breaks; only a comment may follow it.
func (p *envParser) quoted(name string, quote byte) (string, error) {
	opened := p.line
	var value strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch ch := p.rest[i]; {
		case ch == quote:
			p.rest = p.rest[i+1:]
			return value.String(), p.endOfLine(name)
		case ch == '\\' && quote == '"' && i+1 < len(p.rest):
			i++
			value.WriteString(unescape(p.rest[i]))
			if p.rest[i] == '\n' {
				p.line++
			}
		default:
			value.WriteByte(ch)
			if ch == '\n' {
				p.line++
			}
		}
	}
	return "", envError(opened, fmt.Sprintf("the quote that opens the value of %s is never closed", name), "close it with "+string(quote))
}

// unescape returns what a backslash and ch stand for between double quotes; an unknown pair stays as it is.
func unescape(ch byte) string {
	switch ch {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case '"', '\\', '$', '\'', '`':
		return string(ch)
	default:
		return `\` + string(ch)
	}
}

func (p *envParser) endOfLine(name string) error {
	line, after, _ := strings.Cut(p.rest, "\n")
	if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
		return envError(p.line, fmt.Sprintf("something follows the closing quote of %s", name), `write " inside double quotes as \"`)
	}
	p.rest = after
	p.line++
	return nil
}
