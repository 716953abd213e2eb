package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/shlex"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func tree(t *testing.T) (root *cobra.Command, all []*cobra.Command) {
	t.Helper()
	root = newCLI(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }).newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var visit func(*cobra.Command)
	visit = func(command *cobra.Command) {
		all = append(all, command)
		for _, child := range command.Commands() {
			visit(child)
		}
	}
	visit(root)
	return root, all
}

// examples returns the slipway calls in an example: what stands before a pipe, a redirection or a comment.
func examples(t *testing.T, text string) (calls [][]string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for command := range strings.SplitSeq(line, "|") {
			if !strings.Contains(command, "slipway ") {
				continue
			}
			words, err := shlex.Split(strings.TrimSuffix(strings.TrimSpace(command), ")")) // comments are left out
			require.NoError(t, err, line)
			call := slices.IndexFunc(words, func(w string) bool { return w == "slipway" || strings.HasSuffix(w, "(slipway") })
			if call < 0 {
				continue
			}
			words = words[call+1:]
			if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:min(len(w), 1)], "<>") || w == "&&" }); end >= 0 {
				words = words[:end]
			}
			calls = append(calls, words)
		}
	}
	return calls
}

// Every example is a command line that the program understands, and is of the command that shows it.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	_, all := tree(t)
	seen := 0
	for _, shown := range all {
		for _, call := range examples(t, shown.Example) {
			seen++
			root, _ := tree(t) // flags keep their values
			command, rest, err := root.Find(call)
			require.NoError(t, err, "%v", call)
			require.NoError(t, command.ParseFlags(rest), "%v", call)
			require.NoError(t, command.ValidateArgs(command.Flags().Args()), "%v", call)
			require.True(t, command.Runnable(), "%v", call)
			require.False(t, command.HasSubCommands() && command.Flags().NArg() > 0, "%v: no such command", call)
		}
	}
	require.Greater(t, seen, 50)
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	_, all := tree(t)
	for _, command := range all {
		require.NotEmpty(t, command.Short, command.CommandPath())
		require.NotEmpty(t, command.Long, command.CommandPath())
		if command.HasSubCommands() || !command.Runnable() || command.Name() == "help" || command.Parent().Name() == "completion" {
			continue // those of cobra have theirs in the long text
		}
		own := slices.ContainsFunc(examples(t, command.Example), func(call []string) bool {
			return strings.HasPrefix(strings.Join(call, " "), strings.TrimPrefix(command.CommandPath(), "slipway "))
		})
		require.True(t, own, "%s has no example", command.CommandPath())
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	p := &person{t: t}
	code, short, _ := p.run("--version")
	require.Zero(t, code)
	code, long, _ := p.run("version")
	require.Zero(t, code)
	require.Equal(t, long, short)
	require.Regexp(t, `^slipway dev (\([0-9a-f]{7}\) )?go1\.`, short)
}
