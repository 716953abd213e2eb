package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// cli is what the commands share: where they read and write, and what the world around them is like.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	dir            string // where the command runs; empty for the process's own
	output         string // outputTable or outputJSON
	screen         screen
	now            func() time.Time
	location       *time.Location // of the times in tables
	pace           pace
	waitBusy       time.Duration // how long a request is sent again while the API is busy
	pollEvery      time.Duration // between two looks at a deployment that is waited for
	statsEvery     time.Duration // between two looks at figures that are followed
	completeWithin time.Duration // how long a shell waits for proposals
	started        bool          // the command line was understood: an error from here on is no usage error
}

// screen says what standard output and standard error are connected to.
type screen struct {
	stdin, stdout, stderr bool       // is a terminal
	width                 func() int // of standard output, in columns
}

func newCLI(stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *cli {
	dumb := env("TERM") == "dumb"
	return &cli{
		stdin: stdin, stdout: stdout, stderr: stderr, env: env, output: outputTable,
		screen: screen{
			stdin: isTerminal(stdin), stdout: isTerminal(stdout) && !dumb, stderr: isTerminal(stderr) && !dumb,
			width: func() int { return terminalWidth(stdout) },
		},
		now: time.Now, location: time.Local, pace: defaultPace, pollEvery: 500 * time.Millisecond, statsEvery: 5 * time.Second, completeWithin: defaultCompleteWithin,
	}
}

// run executes one command line, shows its error if it has one, and returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.newRoot() //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	c.markStart(root)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	shown := new(shownError)
	switch {
	case errors.As(err, &shown):
	case !c.started:
		shown = usageError(command, err.Error())
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		shown = &shownError{message: "interrupted", calm: true, exit: exitInterrupted}
	default:
		shown = &shownError{message: err.Error()}
	}
	c.show(shown)
	return shown.code()
}

// markStart notes when a command begins to run. What cobra refuses before that is a wrong command line.
func (c *cli) markStart(command *cobra.Command) {
	if inner := command.RunE; inner != nil {
		command.RunE = func(cmd *cobra.Command, args []string) error {
			c.started = true
			return inner(cmd, args)
		}
	}
	for _, child := range command.Commands() {
		c.markStart(child)
	}
}

// json reports whether answers are written as JSON.
func (c *cli) json() bool { return c.output == outputJSON }

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalWidth returns 80 where the width cannot be told.
func terminalWidth(stream any) int {
	if file, ok := stream.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}
