package registry

import (
	"net/http"
	"os"
	"path/filepath"

	"github.com/distribution/reference"
)

// share gives a repository a layer that another one has, when whoever pushes there asks whether it has to be sent. The library
// keeps each layer once and lets anybody mount it from the repository that has it, if he knows which one that is; a builder often does
// not, and would send each project's first image with all of its base. It is called after the digest was noted as mentioned, so that
// no sweep takes the layer away again.
func (s *Server) share(r *http.Request) error {
	parts := namedPath.FindStringSubmatch(r.URL.Path)
	if r.Method != http.MethodHead || parts == nil || parts[2] != "blobs" {
		return nil
	}
	repository, digest := parts[1], parts[3]
	if _, err := reference.WithName(repository); err != nil || digestIn.FindString(digest) != digest {
		return nil // for the library to refuse
	}
	if _, err := os.Stat(dataOf(s.dir, digest)); err != nil {
		return nil // it is to be sent
	}
	link := linkOf(s.dir, repository, digest)
	if _, err := os.Stat(link); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	return writeWhole(link, digest)
}

// writeWhole writes a file so that nobody ever reads a part of it, and that two may do so at once.
func writeWhole(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "link-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // a failure's; else it is named otherwise by now
	_, err = file.WriteString(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
