package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-dev/slipway/internal/gitserve"
)

// The repository that is made: so many files at its tip, and a history of commits that each change some of them and replace
// one of a few large files that do not compress.
const (
	files       = 50_000
	commits     = 1_000
	changes     = 20 // files a commit changes
	assets      = 20
	assetBytes  = 900 << 10
	foldersEach = 100 // files in a folder
)

// prepare makes the repository in dir unless an earlier run did, and returns its path.
func prepare(ctx context.Context, dir string) (string, error) {
	done, path := filepath.Join(dir, "large.git.complete"), filepath.Join(dir, "large.git")
	if _, err := os.Stat(done); err == nil {
		return path, nil
	}
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	repo, err := gitserve.Init(ctx, path)
	if err != nil {
		return "", err
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(stream(writer)) }()
	if _, err := repo.Git(ctx, reader, nil, "fast-import", "--quiet"); err != nil {
		return "", err
	}
	// As on a server: one pack with deltas. What does not compress is not tried.
	if err := os.MkdirAll(filepath.Join(path, "info"), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(path, "info", "attributes"), []byte("*.bin -delta\n"), 0o644); err != nil {
		return "", err
	}
	if _, err := repo.Git(ctx, nil, nil, "repack", "-a", "-d", "-f", "-q", "--write-bitmap-index"); err != nil {
		return "", err
	}
	return path, os.WriteFile(done, nil, 0o600)
}

// stream writes the history for git fast-import.
func stream(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<20)
	random := rand.New(rand.NewPCG(6, 6)) // the same repository every time
	for i := range commits {
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter Bench <bench@localhost> %d +0000\ndata 0\n", 1_700_000_000+i*3600)
		if i == 0 {
			for n := range files {
				file(w, n, random)
			}
		}
		for range changes {
			file(w, random.IntN(files), random)
		}
		asset(w, i%assets, random)
	}
	return w.Flush()
}

func file(w io.Writer, n int, random *rand.Rand) {
	content := prose(random)
	fmt.Fprintf(w, "M 100644 inline src/d%03d/s%d/file%05d.ts\ndata %d\n%s\n", n/foldersEach, n%4, n, len(content), content)
}

func asset(w io.Writer, n int, random *rand.Rand) {
	content := make([]byte, assetBytes)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	fmt.Fprintf(w, "M 100644 inline assets/a%02d.bin\ndata %d\n", n, len(content))
	_, _ = w.Write(content) // Flush tells
	fmt.Fprintln(w)
}

// prose is 1 to 8 kB of lines that look like code to a compressor.
func prose(random *rand.Rand) string {
	words := strings.Fields("const let function return await import from export class this new if else for of in value name result error request response handler index state render props user item list path")
	var b strings.Builder
	for size := 1<<10 + random.IntN(7<<10); b.Len() < size; {
		for range 4 + random.IntN(8) {
			b.WriteString(words[random.IntN(len(words))])
			if random.IntN(3) == 0 {
				fmt.Fprintf(&b, "%x", random.Uint32()&0xffff)
			}
			b.WriteByte(" .(){};"[random.IntN(7)])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
