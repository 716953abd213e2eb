package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxStdin bounds what is read of standard input: the API takes no larger request.
const maxStdin = 1 << 20

// unlessInterrupted returns what read gives, or ctx's error as soon as ctx ends: a Ctrl-C does not wake a read from a terminal.
// The read left behind ends with the process.
func unlessInterrupted(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	results := make(chan result, 1)
	go func() {
		text, err := read()
		results <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-results:
		return r.text, r.err
	}
}

// readAll reads standard input to its end; at most one byte more than maxStdin.
func (c *cli) readAll(ctx context.Context) (string, error) {
	return unlessInterrupted(ctx, func() (string, error) {
		data, err := io.ReadAll(io.LimitReader(c.stdin, maxStdin+1))
		return string(data), err
	})
}

// askLine asks for a line on the terminal, without its line break.
func (c *cli) askLine(ctx context.Context, question string) (string, error) {
	_, _ = fmt.Fprintf(c.stderr, "%s: ", question)
	return unlessInterrupted(ctx, func() (string, error) {
		line, err := bufio.NewReader(c.stdin).ReadString('\n') // a terminal gives one line at a time: nothing is read ahead
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read answer: %w", err)
		}
		return strings.TrimSpace(line), nil
	})
}

// askDefault asks for a line; an empty one means what is proposed.
func (c *cli) askDefault(ctx context.Context, question, proposed string) (string, error) {
	answer, err := c.askLine(ctx, question+" ["+proposed+"]")
	return orElse(answer, proposed), err
}

// askSecret asks on the terminal for what is not shown while it is typed.
func (c *cli) askSecret(ctx context.Context, question string) (string, error) {
	file, ok := c.stdin.(*os.File)
	if !ok {
		return "", fmt.Errorf("read %s: standard input is no terminal", question)
	}
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", question, err)
	}
	_, _ = fmt.Fprintf(c.stderr, "%s (not shown): ", question)
	defer c.say("")
	secret, err := unlessInterrupted(ctx, func() (string, error) {
		secret, err := term.ReadPassword(fd)
		return string(secret), err
	})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", question, errors.Join(err, term.Restore(fd, before)))
	}
	return secret, nil
}
