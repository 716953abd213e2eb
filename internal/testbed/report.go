package testbed

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
)

// Rewrite writes what lies between the two marks of a name in a report anew.
func Rewrite(path, name, text string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	mark := []byte("<!-- " + name + " -->")
	parts := bytes.Split(before, mark)
	if len(parts) != 3 {
		return fmt.Errorf("%s has %d marks %s: it needs two, and what lies between them is written anew", path, len(parts)-1, mark)
	}
	parts[1] = []byte("\n" + text)
	return os.WriteFile(path, bytes.Join(parts, mark), 0o644)
}

// Machine describes what a report was made on.
func Machine() (string, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return "", err
	}
	memory, err := proc.Meminfo()
	if err != nil {
		return "", err
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	_, system, _ := strings.Cut(string(release), "PRETTY_NAME=")
	system, _, _ = strings.Cut(system, "\n")
	return fmt.Sprintf("%d cores, %d GiB of memory, %s", runtime.NumCPU(), *memory.MemTotal>>20, strings.Trim(system, `"`)), nil
}
