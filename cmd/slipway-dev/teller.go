package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// ready is the last thing that a start tells.
const ready = "ready"

// teller tells how a start proceeds, to the log and to the file that `up` shows to whoever waits.
type teller struct {
	file  *os.File
	log   *slog.Logger
	since time.Time
}

// newTeller begins an empty file at path.
func newTeller(path string, log *slog.Logger) (*teller, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("make progress file: %w", err)
	}
	return &teller{file: file, log: log, since: time.Now()}, nil
}

func (t *teller) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.log.Info(text)
	if _, err := fmt.Fprintf(t.file, "%5.1fs %s\n", time.Since(t.since).Seconds(), text); err != nil {
		t.log.Warn("write progress", "error", err)
	}
}

func (t *teller) close() { t.file.Close() }
