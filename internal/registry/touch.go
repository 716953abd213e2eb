package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// maxManifest is beyond what the library takes as a manifest.
const maxManifest = 4<<20 + 1

var (
	digestIn  = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	namedPath = regexp.MustCompile(`^/v2/(.+)/(blobs|manifests)/([^/]+)$`)
)

// mentions remembers what clients spoke of, since they rely on it from then on: one that was told that a layer is there does
// not push it, and one that pulls has yet to ask for the layers of the manifest that it got. The modification time of a blob's file
// is when it was mentioned last, so that a restart forgets nothing.
type mentions struct {
	dir string
	mu  sync.Mutex // between the look at a blob's age and its removal nobody mentions it
	// When a digest was last to be written; its blob may not be there yet.
	written map[string]time.Time
}

// note takes down which digests a request mentions, before the library answers it.
func (m *mentions) note(r *http.Request) error {
	writes := r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodPatch
	var digests []string
	for _, values := range r.URL.Query() { // digest of an upload that ends, mount of a layer of another repository
		digests = append(digests, digestIn.FindAllString(strings.Join(values, " "), -1)...)
	}
	if parts := namedPath.FindStringSubmatch(r.URL.Path); parts != nil {
		named, err := m.named(r, parts[1], parts[2], parts[3])
		if err != nil {
			return err
		}
		digests = append(digests, named...)
	}
	m.touch(writes, digests...)
	return nil
}

// named lists the digests that a request for a blob or manifest names: a manifest that is pushed names all that it is made of.
func (m *mentions) named(r *http.Request, repository, kind, reference string) ([]string, error) {
	switch {
	case kind == "manifests" && r.Method == http.MethodPut:
		content, err := io.ReadAll(io.LimitReader(r.Body, maxManifest))
		if err != nil {
			return nil, err
		}
		r.Body = readCloser{io.MultiReader(bytes.NewReader(content), r.Body), r.Body}
		sum := sha256.Sum256(content)
		return append(digestIn.FindAllString(string(content), -1), "sha256:"+hex.EncodeToString(sum[:])), nil
	case digestIn.MatchString(reference):
		return []string{reference}, nil
	case kind == "manifests" && filepath.IsLocal(repository):
		link, _ := os.ReadFile(filepath.Join(repositoriesIn(m.dir), repository, "_manifests", "tags", reference, "current", "link"))
		return digestIn.FindAllString(string(link), 1), nil
	}
	return nil, nil
}

func (m *mentions) touch(writes bool, digests ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, digest := range digests {
		if writes {
			m.written[digest] = now
		}
		_ = os.Chtimes(dataOf(m.dir, digest), now, now) // one that is not there is pushed
	}
}

// since reports whether a digest was mentioned after a time. The caller holds mu, or asks again with it.
func (m *mentions) since(digest string, when time.Time) bool {
	info, err := os.Stat(dataOf(m.dir, digest))
	return err == nil && info.ModTime().After(when)
}

// forget lets go of what was to be written before a time.
func (m *mentions) forget(before time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for digest, at := range m.written {
		if at.Before(before) {
			delete(m.written, digest)
		}
	}
}

// Where the library keeps things.

func repositoriesIn(dir string) string {
	return filepath.Join(dir, "docker", "registry", "v2", "repositories")
}

func blobsIn(dir string) string {
	return filepath.Join(dir, "docker", "registry", "v2", "blobs", "sha256")
}

func dataOf(dir, digest string) string {
	sum := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(blobsIn(dir), sum[:2], sum, "data")
}

func linkOf(dir, repository, digest string) string {
	return filepath.Join(repositoriesIn(dir), repository, "_layers", "sha256", strings.TrimPrefix(digest, "sha256:"), "link")
}
