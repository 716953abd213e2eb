package backup

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Backup is a backup that was read whole, and is sound.
type Backup struct {
	Manifest
	zip *zip.Reader
}

// Open reads a backup from its first byte to its last. One that is cut, damaged or of a later format is an error with its fix.
func Open(r io.ReaderAt, size int64) (*Backup, error) {
	files, err := zip.NewReader(r, size)
	if err != nil {
		return nil, damaged(err)
	}
	b := &Backup{zip: files}
	for _, f := range files.File {
		if err := check(f); err != nil {
			return nil, damaged(fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	data, err := b.Read(manifest)
	if err == nil {
		err = json.Unmarshal(data, &b.Manifest)
	}
	if err != nil {
		return nil, damaged(err)
	}
	if b.Format != Format {
		return nil, deployment.UserFailure("backup.format", "restore it with the slipway that made it, or a later one",
			"the backup has format %d, written by slipway %s; known is %d", b.Format, b.Version, Format)
	}
	for _, t := range b.Tables {
		if !b.Has(partOf(t.Name)) {
			return nil, damaged(fmt.Errorf("table %s is missing", t.Name))
		}
	}
	return b, nil
}

// check reads a part to its end, where its checksum stands.
func check(f *zip.File) error {
	part, err := f.Open()
	if err != nil {
		return err
	}
	defer part.Close()
	_, err = io.Copy(io.Discard, part)
	return err
}

func damaged(err error) error {
	return deployment.UserFailure("backup.damaged", "take another backup, or another copy of this one: nothing of it was restored",
		"the file is no whole backup: %w", err)
}

// Has reports whether there is a part of that name.
func (b *Backup) Has(name string) bool {
	return slices.ContainsFunc(b.zip.File, func(f *zip.File) bool { return f.Name == name })
}

// Read returns a part.
func (b *Backup) Read(name string) ([]byte, error) {
	part, err := b.zip.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer part.Close()
	return io.ReadAll(part)
}

// Table opens the rows of a table.
func (b *Backup) Table(name string) (io.ReadCloser, error) { return b.zip.Open(partOf(name)) }
