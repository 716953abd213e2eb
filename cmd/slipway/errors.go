package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes; exitCodesText documents them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitFailedUser  = 3
	exitFailedOther = 4
	exitNotDeployed = 5
	exitDiffers     = 6
	exitInterrupted = 130
)

const exitCodesText = `0    done. For deploy --follow: the preview is live; for deploy without --follow: the deploy was accepted
1    any other error: the API refused it or could not be reached, or a check of doctor failed
2    the command line is wrong; for a server role: its configuration is
3    the deploy failed, class user: the code or configuration deployed is at fault
4    the deploy failed, class transient or platform: trying again may help, or slipway is at fault
5    the deploy was canceled, or superseded by a newer one
6    admin reconcile: something differs (--dry-run), or was not repaired
130  interrupted (Ctrl-C); a deploy that was followed goes on

3 and 4 come from deploy --follow and, of a plan or build that failed, from plan FOLDER and build FOLDER; 5 comes from deploy --follow alone.`

// exitCodesTopic is the help topic of the exit codes.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesText}
}

// shownError is an error in the form in which people see it.
type shownError struct {
	message string
	field   string        // of the request, where one is at fault
	lines   []string      // what explains it
	fix     string        // what to do about it
	hints   []string      // further lines, shown last
	also    []*shownError // further faults of the same request
	exit    int           // 0 means exitError
	calm    bool          // nothing is wrong: shown without "error:"
}

// Error returns the message alone.
func (f *shownError) Error() string { return f.message }

// prefixed says in an error where it happened; its fix stays.
func prefixed(where string, err error) error {
	var f *shownError
	if !errors.As(err, &f) {
		return fmt.Errorf("%s%w", where, err)
	}
	whole := *f
	whole.message = where + f.message
	return &whole
}

func (f *shownError) code() int {
	if f.exit == 0 {
		return exitError
	}
	return f.exit
}

// usageError is a command line that was not understood.
func usageError(command *cobra.Command, message string) *shownError {
	return &shownError{message: message, fix: fmt.Sprintf("`%s --help` shows how to call it", command.CommandPath()), exit: exitUsage}
}

// show writes an error to standard error.
func (c *cli) show(f *shownError) {
	if f.calm {
		c.say("%s", f.message)
	} else {
		c.say("%s %s", c.paintErr(red, "error:"), clean(f.message))
	}
	if f.field != "" {
		c.say("field: %s", clean(f.field))
	}
	for _, line := range f.lines {
		c.say("  | %s", clean(line))
	}
	if f.fix != "" {
		c.say("fix: %s", clean(f.fix))
	}
	for _, hint := range f.hints {
		c.say("%s", hint)
	}
	for _, other := range f.also {
		c.show(other)
	}
}

// say writes one line to standard error.
func (c *cli) say(format string, args ...any) { _, _ = fmt.Fprintf(c.stderr, format+"\n", args...) }
