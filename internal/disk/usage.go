// Package disk tells how much room file systems have, and notices when one runs low.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Usage is the room on a file system.
type Usage struct {
	Free               uint64 // bytes that everybody may use
	Reserved           uint64 // bytes that are free for root alone
	Inodes, InodesFree uint64 // no Inodes: the file system has no bound on them
}

// Look looks at the file system that a folder lies in, or will lie in.
func Look(folder string) (Usage, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(existing(folder), &s); err != nil {
		return Usage{}, fmt.Errorf("look at the file system of %s: %w", folder, err)
	}
	block := uint64(s.Frsize)
	return Usage{Free: s.Bavail * block, Reserved: (s.Bfree - s.Bavail) * block, Inodes: s.Files, InodesFree: s.Ffree}, nil
}

// existing is the folder, or the nearest one above it that is there.
func existing(folder string) string {
	for {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}

// Size says a number of bytes in words, such as 1.25 GB, of 1024 MB each as in slipway's settings, and never too high.
func Size(bytes uint64) string {
	unit, name := uint64(1), "B"
	for _, larger := range []string{"kB", "MB", "GB", "TB", "PB"} {
		if bytes/unit < 1024 {
			break
		}
		unit, name = unit*1024, larger
	}
	hundredths := bytes / unit * 100
	if unit > 1 {
		hundredths += bytes % unit * 100 / unit
	}
	return strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64) + " " + name
}
