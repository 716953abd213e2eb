package backup

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
)

// Writer writes a backup. What it has written is none before Finish.
type Writer struct {
	zip      *zip.Writer
	manifest Manifest
}

// NewWriter begins a backup; m has everything but the tables.
func NewWriter(to io.Writer, m Manifest) *Writer {
	m.Format = Format
	return &Writer{zip: zip.NewWriter(to), manifest: m}
}

// Add writes a part.
func (w *Writer) Add(name string, data []byte) error {
	part, err := w.part(name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// AddTable writes the rows of a table, which rows puts into its part and counts.
func (w *Writer) AddTable(t Table, rows func(into io.Writer) (int64, error)) error {
	part, err := w.part(partOf(t.Name))
	if err == nil {
		t.Rows, err = rows(part)
	}
	if err != nil {
		return fmt.Errorf("write table %s: %w", t.Name, err)
	}
	w.manifest.Tables = append(w.manifest.Tables, t)
	return nil
}

// Finish makes what was written a backup.
func (w *Writer) Finish() (Manifest, error) {
	data, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return w.manifest, fmt.Errorf("encode manifest: %w", err)
	}
	if err := w.Add(manifest, data); err != nil {
		return w.manifest, err
	}
	if err := w.zip.Close(); err != nil {
		return w.manifest, fmt.Errorf("write directory: %w", err)
	}
	return w.manifest, nil
}

func (w *Writer) part(name string) (io.Writer, error) {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: w.manifest.TakenAt}
	header.SetMode(0o600) // whoever unpacks it keeps the keys to themselves
	return w.zip.CreateHeader(header)
}
