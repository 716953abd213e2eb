package planner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// quoteEnv returns a value for ENV that BuildKit reads back as it is: in double quotes, where only the backslash, the
// quote and the dollar mean something.
func quoteEnv(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}

// jsonArray returns the exec form of its arguments on one line.
func jsonArray(args ...string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false) // "&&" stays readable
		if err := encoder.Encode(arg); err != nil {
			panic(err) // a string can always be encoded
		}
		quoted[i] = strings.TrimSpace(b.String())
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// runnable returns a command for RUN: as people wrote it where a Dockerfile takes it literally, else in exec form. It would
// not be taken literally when it starts like a flag or an array, opens a heredoc or ends in a line continuation.
func runnable(command string) string {
	command = strings.TrimSpace(command)
	if strings.HasPrefix(command, "-") || strings.HasPrefix(command, "[") || strings.HasPrefix(command, "#") ||
		strings.Contains(command, "<<") || strings.HasSuffix(command, `\`) {
		return jsonArray("/bin/bash", "-o", "pipefail", "-lc", command)
	}
	return command
}

// heredocFile returns a COPY that writes content to name literally: the quoted delimiter turns expansion off.
func heredocFile(name, content string) string {
	delimiter := "SLIPWAY_EOF"
	lines := strings.Split(content, "\n")
	for n := 1; slices.Contains(lines, delimiter); n++ {
		delimiter = fmt.Sprintf("SLIPWAY_EOF_%d", n)
	}
	if !strings.HasSuffix(content, "\n") {
		content += "\n"
	}
	return fmt.Sprintf("COPY <<'%s' %s\n%s%s\n", delimiter, name, content, delimiter)
}
