package planner

import (
	"regexp"
	"slices"
	"strings"
)

// withExec puts exec before the last command of a start command, so that the app replaces the shell and signals reach it:
// a shell that waits dies of SIGTERM before the app has heard of it. Where exec could change what the command does (pipes,
// groups, background jobs, assignments, keywords, builtins), the command stays as it is.
func withExec(command string) string {
	command = strings.TrimSpace(command)
	starts, ok := commandStarts(command)
	if !ok {
		return command
	}
	last := starts[len(starts)-1]
	for _, start := range starts {
		word := firstWord(command[start:])
		switch {
		case word == "", assignment.MatchString(word), slices.Contains(keywords(), word):
			return command
		case start == last && slices.Contains(builtins(), word):
			return command
		}
	}
	return command[:last] + "exec " + command[last:]
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=`)

// keywords make a list of commands more than one after the other, wherever they stand; exec would also forget a trap.
func keywords() []string {
	return []string{
		"!", "[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "select", "then",
		"time", "trap", "until", "while",
	}
}

// builtins are commands of the shell itself that exec would not find.
func builtins() []string {
	return []string{
		".", ":", "alias", "bg", "builtin", "cd", "command", "declare", "eval", "exec", "exit", "export", "fg", "jobs", "let",
		"local", "popd", "pushd", "read", "readonly", "return", "set", "shift", "shopt", "source", "type", "typeset", "ulimit",
		"umask", "unalias", "unset", "wait",
	}
}

// commandStarts returns where the commands of a list joined by &&, || and ; begin. It answers false for anything else
// that the shell treats specially.
func commandStarts(s string) (starts []int, ok bool) {
	starts = []int{0}
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch c := s[i]; {
		case c == '\\':
			i++ // the next character stands for itself
		case c == '\'', c == '"', strings.HasPrefix(rest, "${"):
			length := quoted(rest)
			if length == 0 {
				return nil, false
			}
			i += length - 1
		case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"):
			i++
			starts = append(starts, skipBlank(s, i+1))
		case c == ';':
			starts = append(starts, skipBlank(s, i+1))
		case strings.IndexByte("&|<>(){}`#\n", c) >= 0:
			return nil, false
		}
	}
	return starts, true
}

var quotedText = regexp.MustCompile("^(?:'[^']*'|\"(?:[^\"\\\\`$]|\\\\.|\\$[^(\"])*\"|\\$\\{[^}'\"`$]*\\})")

// quoted returns the length of the quoted text or ${expansion} that s begins with, 0 when it does not end or holds a
// command substitution.
func quoted(s string) int { return len(quotedText.FindString(s)) }

func skipBlank(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return strings.TrimSuffix(word, ";")
}
