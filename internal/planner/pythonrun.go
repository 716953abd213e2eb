package planner

import (
	"regexp"
	"strconv"
	"strings"
)

// pythonRun is the call with which a script serves its app by itself.
type pythonRun struct {
	line  int
	text  string // its arguments
	async bool
	alone bool // a main block does nothing else
}

var (
	runCall   = regexp.MustCompile(`(?m)^[ \t]*(?:uvicorn\.run|(\w+)\.run)\(`)
	mainBlock = regexp.MustCompile(`(?m)^if __name__ == ["']__main__["']:[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)*)`)
	runHost   = regexp.MustCompile(`\bhost\s*=\s*(?:["']([^"']*)["'])?`)
	runPort   = regexp.MustCompile(`\bport\s*=\s*(\d+)?`)
)

// pythonRun returns the call in a file that runs an app of Flask's or uvicorn, nil when there is none.
func (l *look) pythonRun(file string) *pythonRun {
	text := append(l.read(file), '\n')
	for _, at := range runCall.FindAllSubmatchIndex(text, -1) {
		arguments, ok := parenthesis(string(text[at[1]:]))
		call := pythonRun{line: lineAt(text, at[1]), text: arguments, async: at[2] < 0}
		if !ok || !call.async && !regexp.MustCompile(`(?m)^`+string(text[at[2]:at[3]])+`\s*(?::\s*[\w.]+\s*)?=\s*(?:(?:flask\.)?Flask|\w*create_app)\(`).Match(text) {
			continue
		}
		if block := mainBlock.FindSubmatchIndex(text); block != nil && at[0] >= block[2] {
			rest := string(text[block[2]:at[0]]) + string(text[at[1]+len(arguments)+1:block[3]])
			call.alone = plainBlock(rest)
		}
		return &call
	}
	return nil
}

// plainBlock reports whether what surrounds the call in a main block does nothing: imports and comments.
func plainBlock(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "import ") {
			return false
		}
	}
	return true
}

// parenthesis returns what stands before the parenthesis that closes one.
func parenthesis(text string) (inside string, ok bool) {
	depth := 1
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return text[:i], true
		}
	}
	return "", false
}

// unreachable says where a call listens, if nobody outside the container finds it there; "" if it may be found.
func (l *look) unreachable(call pythonRun) string {
	host, port := "127.0.0.1", "5000"
	if call.async {
		port = "8000"
	}
	if named := runHost.FindStringSubmatch(call.text); named != nil {
		host = named[1] // what is computed is left empty, as every address is
	}
	if named := runPort.FindStringSubmatch(call.text); named != nil {
		port = named[1]
	}
	everywhere := host == "" || host == "0.0.0.0" || host == "::"
	if everywhere && (port == "" || port == strconv.Itoa(l.port())) {
		return ""
	}
	if everywhere {
		return "port " + port
	}
	return host + ":" + port
}
