package supervise

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// keptLogs is how many full files stay beside the one that is written: <path>.1 is the newest of them.
const keptLogs = 3

// logFile is a file of bounded size: when it is full it becomes <path>.1, those before move on, and it starts anew.
type logFile struct {
	path   string
	limit  int64
	opened func(*os.File) // told of every file that is begun or gone on with; may be nil

	mu   sync.Mutex
	file *os.File
	size int64
}

// OwnLog makes the file at path the log of this very process: what is written to the result goes there, and standard
// output and standard error lead to it, so that a panic's last words do too. Whoever started the process may be long gone.
func OwnLog(path string, limit int64) (io.Writer, error) {
	return openLog(path, limit, func(f *os.File) {
		for _, std := range []*os.File{os.Stdout, os.Stderr} {
			_ = syscall.Dup3(int(f.Fd()), int(std.Fd()), 0) // else they lead to the file before
		}
	})
}

func openLog(path string, limit int64, opened func(*os.File)) (*logFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &logFile{path: path, limit: limit, opened: opened}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	l.file, l.size = f, info.Size()
	if l.opened != nil {
		l.opened(f)
	}
	return nil
}

// Write appends b. It always claims success: a full disk must not block or end the child that writes.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		_ = l.open() // the disk may have room again
	}
	if l.file != nil && l.size > 0 && l.size+int64(len(b)) > l.limit {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(b)
		l.size += int64(n)
	}
	return len(b), nil
}

// rotate keeps the files before and starts a new one, for the same readers; where that fails the old one is cut.
func (l *logFile) rotate() {
	before, err := l.file.Stat()
	if err = errors.Join(err, ShiftLogs(l.path)); err != nil {
		_ = l.file.Truncate(0)
		l.size = 0
		return
	}
	_ = l.file.Close()
	l.file = nil
	if l.open() == nil {
		_ = l.file.Chmod(before.Mode().Perm()) // `up` may have let the caller's group read it
		if owner, ok := before.Sys().(*syscall.Stat_t); ok {
			_ = l.file.Chown(int(owner.Uid), int(owner.Gid))
		}
	}
}

// ShiftLogs makes room for a new log at path: what is there becomes <path>.1, <path>.1 becomes <path>.2, and the oldest goes.
func ShiftLogs(path string) error {
	for n := keptLogs; n > 0; n-- {
		from := path
		if n > 1 {
			from += "." + strconv.Itoa(n-1)
		}
		if err := os.Rename(from, path+"."+strconv.Itoa(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
