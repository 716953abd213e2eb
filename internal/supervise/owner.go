package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// markVariable carries the mark into the child's environment and its descendants'.
//
// Its name is not one of configuration's, which refuses SLIPWAY_* variables that it does not know.
const markVariable = "SUPERVISED_BY_SLIPWAY"

// owner is what an owner file says of a child. It is written before the child starts, with the mark alone, and again when
// its pid is known: a supervisor that is killed in between still leaves what its successor needs.
type owner struct {
	Name        string         `json:"name"`
	Executable  string         `json:"executable"` // for people
	Mark        string         `json:"mark"`
	BootID      string         `json:"boot_id"`
	Process     process        `json:"process"`
	StopSignal  syscall.Signal `json:"stop_signal"`
	StopTimeout time.Duration  `json:"stop_timeout_ns"`
}

func ownerPath(runDir, name string) string { return filepath.Join(runDir, name+".json") }

// write replaces the owner file in one step: a reader sees the old one or the new one, whole.
func (o owner) write(runDir string) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	path := ownerPath(runDir, o.Name)
	if err := writeFile(path, b); err != nil {
		return fmt.Errorf("write owner file of %s: %w", o.Name, err)
	}
	return nil
}

// writeFile writes path through a temporary file beside it.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Reclaim ends every process that an owner file in runDir names and that still runs, with all its descendants, and removes
// the files. Only the holder of the data directory's Lock may call it, before it starts anything. It does not stop at the
// first child that cannot be ended.
func Reclaim(ctx context.Context, runDir string, log *slog.Logger) error {
	files, err := filepath.Glob(filepath.Join(runDir, "*.json"))
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range files {
		if err := reclaim(ctx, path, boot, log); err != nil {
			errs = append(errs, fmt.Errorf("end process left by %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func reclaim(ctx context.Context, path, boot string, log *slog.Logger) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var o owner
	if err := json.Unmarshal(b, &o); err != nil {
		return fmt.Errorf("%w: remove the file if no such process runs", err)
	}
	if o.BootID == boot {
		left, err := family(o.Process, o.Mark)
		if err != nil {
			return err
		}
		if o.Process.alive() || len(left) > 0 {
			log.WarnContext(ctx, "ending a process that an earlier run left", "name", o.Name, "pid", o.Process.PID)
		}
		if err := end(ctx, o.Process, o.Mark, o.StopSignal, o.StopTimeout); err != nil {
			return err
		}
	}
	return forget(path)
}

// forget removes an owner file.
func forget(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkName keeps names usable as file names.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q is no usable name of a child", name)
	}
	return nil
}
