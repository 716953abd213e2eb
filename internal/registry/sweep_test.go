package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/registry"
)

// swept is a registry whose sweeps and times are the test's.
type swept struct {
	registry.Client
	t      *testing.T
	server *registry.Server
	dir    string
}

const layerSize = 100_000

func newSwept(t *testing.T) swept {
	t.Helper()
	dir := t.TempDir()
	server, err := registry.New(registry.Options{Dir: dir})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return swept{registry.Client{Host: strings.TrimPrefix(web.URL, "http://"), Insecure: true}, t, server, dir}
}

func (s swept) ref(image string) name.Reference {
	s.t.Helper()
	ref, err := name.ParseReference(s.Host+"/"+image, name.Insecure)
	require.NoError(s.t, err)
	return ref
}

func (s swept) push(image string, img v1.Image) error { return remote.Write(s.ref(image), img) }

// image is a new one, with other layers below its own.
func (s swept) image(below ...v1.Layer) v1.Image {
	s.t.Helper()
	layer, err := random.Layer(layerSize, "application/vnd.docker.image.rootfs.diff.tar.gzip")
	require.NoError(s.t, err)
	img, err := mutate.AppendLayers(empty.Image, append(below, layer)...)
	require.NoError(s.t, err)
	return img
}

// whole pulls an image and checks every byte.
func (s swept) whole(image string) error {
	img, err := remote.Image(s.ref(image))
	if err != nil {
		return err
	}
	return readAll(img)
}

func readAll(img v1.Image) error {
	if _, err := img.RawConfigFile(); err != nil {
		return err
	}
	layers, err := img.Layers()
	for _, l := range layers {
		var content io.ReadCloser
		if content, err = l.Compressed(); err == nil {
			_, err = io.Copy(io.Discard, content) // the client compares digests
			err = errors.Join(err, content.Close())
		}
		if err != nil {
			return err
		}
	}
	return err
}

// age makes everything as old as if nobody had spoken of it for a day.
func (s swept) age() {
	s.t.Helper()
	old := time.Now().Add(-24 * time.Hour)
	require.NoError(s.t, filepath.WalkDir(filepath.Join(s.dir, "docker", "registry", "v2", "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chtimes(path, old, old)
		}
		return err
	}))
}

// bytes is what the blobs take on disk.
func (s swept) bytes() (n int64) {
	s.t.Helper()
	require.NoError(s.t, filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "data" {
			var info fs.FileInfo
			info, err = d.Info()
			n += info.Size()
		}
		return err
	}))
	return n
}

func (s swept) sweep() registry.Swept {
	s.t.Helper()
	done, err := s.server.Sweep(s.t.Context())
	require.NoError(s.t, err)
	return done
}

// reopened is the same directory after a restart: what a client spoke of before is known from the files alone.
func (s swept) reopened() swept {
	s.t.Helper()
	server, err := registry.New(registry.Options{Dir: s.dir})
	require.NoError(s.t, err)
	s.server = server
	return s
}

func TestSweep_FreesWhatNoTagLeadsTo(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	shared, err := random.Layer(layerSize, "application/vnd.docker.image.rootfs.diff.tar.gzip")
	require.NoError(t, err)
	kept, gone, list := s.image(shared), s.image(shared), s.image()
	require.NoError(t, s.push("p/kept:1", kept))
	require.NoError(t, s.push("p/gone:1", gone))
	require.NoError(t, s.push("p/gone:2", gone))
	require.NoError(t, remote.WriteIndex(s.ref("p/list:1"), mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: list, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})))
	full := s.bytes()
	require.NoError(t, s.Delete(t.Context(), "p/gone:1"))
	s.age()
	require.Zero(t, s.reopened().sweep(), "another tag leads there")
	require.NoError(t, s.Delete(t.Context(), "p/gone:2"))
	s = s.reopened()
	require.Zero(t, s.sweep(), "the deletion spoke of it just now")
	s.age()

	done := s.sweep()
	require.Equal(t, 1, done.Manifests)
	require.Equal(t, 3, done.Blobs, "manifest, configuration, and the layer of its own")
	require.Greater(t, done.Bytes, int64(layerSize))
	t.Logf("%d bytes before, %d after", full, s.bytes())
	require.Equal(t, full-done.Bytes, s.bytes())
	require.NoError(t, s.whole("p/kept:1"))
	require.NoError(t, s.whole("p/list:1"), "a list names manifests, which name layers")
	require.Error(t, s.whole("p/gone:1"))
	links, err := filepath.Glob(filepath.Join(s.dir, "docker/registry/v2/repositories/p/gone/_layers/sha256/*"))
	require.NoError(t, err)
	require.Len(t, links, 1, "the layer that another image has too")
	require.NoDirExists(t, filepath.Join(s.dir, "swept"))
	s.age()
	require.Zero(t, s.sweep(), "a second pass finds nothing")
	require.NoError(t, s.push("p/gone:3", gone))
	require.NoError(t, s.whole("p/gone:3"), "what is pushed again is there again")
}

// A client that was told that a layer is there does not push it, and who has a manifest will ask for its layers.
func TestSweep_LeavesWhatAClientReliesOn(t *testing.T) {
	t.Parallel()
	for name, speak := range map[string]func(s swept, img v1.Image) error{
		"asks for a layer": func(s swept, img v1.Image) error {
			return eachLayer(s, img, func(l v1.Layer) error { _, err := l.Size(); return err })
		},
		"has the manifest": func(s swept, img v1.Image) error {
			d, err := img.Digest()
			if err != nil {
				return err
			}
			_, err = remote.Get(s.ref("p/a@" + d.String()))
			return err
		},
		"pushes it elsewhere": func(s swept, img v1.Image) error { return s.push("p/b:1", img) },
		"asks for the tag":    func(s swept, _ v1.Image) error { _, err := s.Digest(context.Background(), "p/a:1"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSwept(t)
			img := s.image()
			require.NoError(t, s.push("p/a:1", img))
			s.age()
			require.NoError(t, speak(s, img))
			require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "docker/registry/v2/repositories/p/a/_manifests/tags/1")), "without a word to the server")
			require.Zero(t, s.sweep().Bytes)
			require.NoError(t, eachLayer(s, img, func(l v1.Layer) error {
				content, err := l.Compressed()
				if err != nil {
					return err
				}
				return content.Close()
			}))
		})
	}
}

// eachLayer asks the registry for the layers of an image.
func eachLayer(s swept, img v1.Image, do func(v1.Layer) error) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return err
		}
		there, err := remote.Layer(s.ref("p/a@" + digest.String()).(name.Digest))
		if err == nil {
			err = do(there)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Images are given up and swept while others are pushed that share their layers: whoever comes first, what was pushed is whole.
func TestSweep_WhileImagesArePushed(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	var kept []string
	freed := int64(0)
	for round := range 8 {
		shared, err := random.Layer(layerSize, "application/vnd.docker.image.rootfs.diff.tar.gzip")
		require.NoError(t, err)
		old, again, lone := s.image(shared), s.image(shared), s.image()
		tag := fmt.Sprintf("p/a:%d", round)
		for name, img := range map[string]v1.Image{"-old": old, "-lone": lone} {
			require.NoError(t, s.push(tag+name, img))
			require.NoError(t, s.Delete(t.Context(), tag+name))
		}
		s.age()
		s = s.reopenedBehind(t)
		var wait sync.WaitGroup
		errs := make([]error, 3)
		for i, img := range []v1.Image{again, old, s.image(shared)} {
			image := fmt.Sprintf("%s-%d", tag, i)
			kept = append(kept, image)
			wait.Go(func() { errs[i] = s.push(image, img) })
		}
		freed += s.sweep().Bytes + s.sweep().Bytes
		wait.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	}
	t.Logf("%d bytes freed, %d left", freed, s.bytes())
	require.Greater(t, freed, int64(8*layerSize), "what nobody pushes again, and of the rest what was not pushed in time")
	for _, image := range kept {
		require.NoError(t, s.whole(image), image)
	}
}

// reopenedBehind is the same directory after a restart, at an address of its own.
func (s swept) reopenedBehind(t *testing.T) swept {
	t.Helper()
	s = s.reopened()
	web := httptest.NewServer(s.server)
	t.Cleanup(web.Close)
	s.Host = strings.TrimPrefix(web.URL, "http://")
	return s
}
