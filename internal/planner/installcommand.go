package planner

import (
	"path"
	"regexp"
	"strings"

	"github.com/google/shlex"
)

// command takes what a command of an install phase reads. Only commands that are known word for word are trusted; all
// others may read anything.
func (r *installReads) command(command string) {
	if r.reason != "" {
		return
	}
	parts, ok := plainCommands(command)
	if !ok {
		r.everything("%s is more than the plain command of a package manager", shorten(command))
		return
	}
	for _, words := range parts {
		if !r.simple(words) {
			r.everything("the command %s may read any file", shorten(strings.Join(words, " ")))
			return
		}
	}
}

var (
	quotedWord = regexp.MustCompile("'[^'&]*'|\"[^\"&$`\\\\]*\"")
	// toolVersion is how nixpacks names the version of an installer that its plan pins.
	toolVersion = regexp.MustCompile(`==\$NIXPACKS_[A-Z]+_VERSION\b`)
)

// plainCommands splits a command at && into words. It answers false when the shell does anything else with it.
func plainCommands(command string) (parts [][]string, ok bool) {
	command = toolVersion.ReplaceAllString(command, "")
	unquoted := quotedWord.ReplaceAllString(command, "")
	if strings.ContainsAny(strings.ReplaceAll(unquoted, "&&", ""), "&|;<>()`$\\*?[]{}~!#'\"\n\r") {
		return nil, false
	}
	for part := range strings.SplitSeq(command, "&&") {
		words, err := shlex.Split(part)
		if err != nil || len(words) == 0 {
			return nil, false
		}
		parts = append(parts, words)
	}
	return parts, true
}

// simple takes what one command reads, and answers false for one that is not known.
func (r *installReads) simple(words []string) bool {
	switch strings.Join(words, " ") {
	case "python -m venv --copies /opt/venv", ". /opt/venv/bin/activate", "corepack enable": // read nothing
		return true
	case "go mod download":
		r.goModules()
		return true
	}
	name, args := words[0], words[1:]
	switch name {
	case "mkdir":
		return outside(args)
	case "npm", "pnpm", "yarn", "bun":
		return r.node(name, args)
	case "pip", "pip3":
		return r.pip(args)
	case "PIPENV_VENV_IN_PROJECT=1":
		return len(args) > 0 && args[0] == "pipenv" && r.pipenv(args[1:])
	case "pipenv":
		return r.pipenv(args)
	case "poetry", "uv", "pdm":
		return r.pyproject(name, args)
	case "composer":
		return r.composer(args)
	}
	return false
}

// outside reports whether the arguments of mkdir lead out of the app's folder.
func outside(args []string) bool {
	for _, arg := range args {
		if arg != "-p" && (!path.IsAbs(arg) || strings.HasPrefix(path.Clean(arg)+"/", appDir+"/")) {
			return false
		}
	}
	return true
}

// only reports whether all arguments are among those that do not change what is read.
func only(args []string, allowed *regexp.Regexp) bool {
	for _, arg := range args {
		if !allowed.MatchString(arg) {
			return false
		}
	}
	return true
}
