package docker_test

import (
	"archive/tar"
	"bytes"
	"io"
)

// tarOf returns an archive of one executable file, and of links to it.
func tarOf(name string, content []byte, links ...string) (io.ReadCloser, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	for _, link := range links {
		if err := w.WriteHeader(&tar.Header{Name: link, Typeflag: tar.TypeSymlink, Linkname: "/" + name}); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&archive), w.Close()
}
