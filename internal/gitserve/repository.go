package gitserve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
)

// DefaultBranch is the branch that HEAD of a repository made by Init names.
const DefaultBranch = "main"

// Repository is a bare repository on disk.
type Repository struct {
	Dir string // absolute path
}

// Init makes a bare repository in dir, without hooks; one that is there already is kept as it is.
func Init(ctx context.Context, dir string) (*Repository, error) {
	// An empty template keeps the sample hooks out.
	args := []string{"init", "--quiet", "--bare", "--template=", "--initial-branch=" + DefaultBranch, dir}
	if _, err := run(ctx, nil, nil, args...); err != nil {
		return nil, fmt.Errorf("make repository %s: %w", dir, err)
	}
	return &Repository{Dir: dir}, nil
}

// Git runs a git command in the repository and returns its output without the final line break. stdin and env (NAME=value)
// may be nil. The error holds what git said.
func (r *Repository) Git(ctx context.Context, stdin io.Reader, env []string, args ...string) (string, error) {
	return run(ctx, stdin, env, append([]string{"--git-dir=" + r.Dir}, args...)...)
}

func run(ctx context.Context, stdin io.Reader, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	cmd.Env = append(environ(nil), env...)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", command(args), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// command returns the git command among args, for error messages.
func command(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// environ is the whole environment of a git process: no configuration but ours, no hooks, no questions. HOME points to
// nowhere because git also reads files there that no variable switches off. config is added to our own configuration.
func environ(config map[string]string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.DevNull,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
	}, configEnv(config)...)
}

// configEnv passes configuration in the environment, which git's own child processes inherit.
func configEnv(more map[string]string) []string {
	config := map[string]string{
		"core.hooksPath":      os.DevNull,
		"core.autocrlf":       "false",
		"core.fileMode":       "true",
		"core.symlinks":       "true",
		"core.attributesFile": os.DevNull,
		"core.excludesFile":   os.DevNull,
		"safe.directory":      "*", // served repositories may belong to another user
		"gc.auto":             "0",
	}
	maps.Copy(config, more)
	env := []string{fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(config))}
	for name, value := range config {
		i := len(env) / 2
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, name), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, value))
	}
	return env
}
