package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/jackc/pgx/v5"
	controlapi "github.com/moby/buildkit/api/services/control"
	buildkit "github.com/moby/buildkit/client"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// read reads what the API says of a deployment.
func (c *canaries) read(t *testing.T, id string) {
	t.Helper()
	d := "/v1/deployments/" + id
	for _, path := range []string{d, d + "/steps", d + "/plan", d + "/dockerfile", d + "/logs?limit=1000", "/v1/projects/canary", "/v1/projects/canary/env", "/v1/projects/canary/environments"} {
		c.look("API", path, c.answer(t, path))
	}
}

func (c *canaries) answer(t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+dev.api+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+dev.token(t))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, data)
	return data
}

// readImages reads every image of the project as it lies in the registry: its layers unpacked, but for those of the base, which have kept
// their digests; its configuration and history.
func (c *canaries) readImages(t *testing.T) {
	t.Helper()
	tags, seen := tagsOf(t, c.project), baseLayers(t)
	require.NotEmpty(t, tags)
	for _, tag := range tags {
		image, err := pulled(t, c.project+":"+tag)
		if err != nil { // a base image that was pushed ahead goes when its deploy is over
			require.NotContains(t, tagsOf(t, c.project), tag, "%v", err)
			continue
		}
		layers, err := image.Layers()
		require.NoError(t, err)
		for _, layer := range layers {
			digest, err := layer.Digest()
			require.NoError(t, err)
			if seen[digest.String()] {
				continue
			}
			seen[digest.String()] = true
			content, err := layer.Uncompressed()
			require.NoError(t, err)
			c.stream(t, "image layers", tag, content)
		}
		file, err := image.ConfigFile()
		require.NoError(t, err)
		for _, step := range file.History {
			c.look("image history", tag, []byte(step.CreatedBy+" "+step.Comment))
		}
		config, err := image.RawConfigFile()
		require.NoError(t, err)
		c.look("image config", tag, config)
		manifest, err := image.RawManifest()
		require.NoError(t, err)
		c.look("image config", tag+", manifest", manifest)
	}
}

// baseLayers are the digests of what was there before any secret, and cannot hold one.
func baseLayers(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, image := range []string{"slipway/base:bookworm", "slipway/static:bookworm", "library/debian:bookworm-slim"} {
		found, err := pulled(t, image)
		require.NoError(t, err)
		manifest, err := found.Manifest()
		require.NoError(t, err)
		for _, layer := range manifest.Layers {
			known[layer.Digest.String()] = true
		}
	}
	return known
}

func pulled(t *testing.T, image string) (v1.Image, error) {
	t.Helper()
	ref, err := name.ParseReference(dev.registry+"/"+image, name.Insecure)
	require.NoError(t, err)
	return remote.Image(ref, remote.WithContext(t.Context()))
}

// overlap is longer than any form of a half.
const overlap = 256

// stream searches what is too large for the memory. One does so at a time.
func (s *search) stream(t *testing.T, where, part string, content io.ReadCloser) {
	t.Helper()
	defer content.Close()
	buffer, kept := s.buffer, 0
	for {
		n, err := io.ReadFull(content, buffer[kept:])
		s.look(where, part, buffer[:kept+n])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return
		}
		require.NoError(t, err)
		kept = copy(buffer, buffer[len(buffer)-overlap:])
	}
}

// readBuildKit reads what the builder keeps: its history with logs, traces and errors, and the files of its state but for snapshots,
// which are the layers, and for the layers of base images, which take minutes to unpack under the race detector.
func (c *canaries) readBuildKit(t *testing.T) {
	t.Helper()
	c.readRecords(t.Context(), buildkitClient(t), false)
	state, base := filepath.Join(dev.data, "buildkit"), baseLayers(t)
	c.walk(t, "BuildKit's state", state, func(path string) bool {
		return base["sha256:"+filepath.Base(path)] || path == filepath.Join(state, "runc-overlayfs", "snapshots") || path == filepath.Join(state, "runc-overlayfs", "cachemounts")
	})
}

func (c *canaries) readBlobs(ctx context.Context, builder *buildkit.Client, record *controlapi.BuildHistoryRecord) {
	blobs := []*controlapi.Descriptor{record.GetLogs(), record.GetTrace(), record.GetExternalError()}
	for _, blob := range blobs {
		if blob == nil {
			continue
		}
		stream, err := builder.ContentClient().Read(ctx, &contentapi.ReadContentRequest{Digest: blob.Digest})
		for err == nil {
			var part *contentapi.ReadContentResponse
			if part, err = stream.Recv(); err == nil {
				c.look("BuildKit's history", blob.MediaType, part.Data)
			}
		}
	}
}

// readTemporal reads every event of every workflow's history, the list with its memos and search attributes, and the database's bytes.
func (c *canaries) readTemporal(t *testing.T) {
	t.Helper()
	temporal := temporalClient(t)
	var next []byte
	for {
		page, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", NextPageToken: next})
		require.NoError(t, err)
		for _, info := range page.Executions {
			c.lookAt("Temporal's histories", "the list", info)
			history := temporal.GetWorkflowHistory(t.Context(), info.Execution.WorkflowId, info.Execution.RunId, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for history.HasNext() {
				event, err := history.Next()
				require.NoError(t, err)
				c.lookAt("Temporal's histories", info.Execution.WorkflowId, event)
			}
		}
		if next = page.NextPageToken; len(next) == 0 {
			break
		}
	}
	for _, file := range []string{"temporal.db", "temporal.db-wal"} {
		c.file(t, "Temporal's database", filepath.Join(dev.data, file))
	}
}

// readPostgres reads every table as COPY gives it, and the bytes of the cluster's files.
func (c *canaries) readPostgres(t *testing.T) {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(dev.data, "postgres", "postmaster.pid"))
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), "host="+strings.Split(string(pid), "\n")[4]+" user=slipway dbname=slipway")
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname <> 'information_schema'`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, table := range tables {
		var rows bytes.Buffer
		format := "binary"
		if strings.HasPrefix(table, "pg_catalog.") {
			format = "text" // the catalog's own types have no other
		}
		_, err := conn.PgConn().CopyTo(t.Context(), &rows, "COPY "+table+" TO STDOUT (FORMAT "+format+")")
		require.NoError(t, err, table)
		c.look("Postgres, by COPY", table, rows.Bytes())
	}
	_, err = conn.Exec(t.Context(), "CHECKPOINT")
	require.NoError(t, err)
	c.walk(t, "Postgres, its files", filepath.Join(dev.data, "postgres"), nil)
}

// readFiles reads what slipway-dev has printed, and all else in its data directory.
func (c *canaries) readFiles(t *testing.T) {
	t.Helper()
	c.file(t, "slipway's logs and files", dev.data+".log")
	c.walk(t, "slipway's logs and files", dev.data, func(path string) bool {
		switch path {
		case filepath.Join(dev.data, "buildkit"), filepath.Join(dev.data, "postgres"), filepath.Join(dev.data, "registry"): // have places of their own
			return true
		}
		return false
	})
}

func (c *canaries) readTraces() {
	traces.mu.Lock()
	defer traces.mu.Unlock()
	for _, span := range traces.spans {
		c.lookAt("traces", span.GetName(), span)
	}
}

// walk reads every file below a folder that was written to since the canaries were there, but what is to be skipped. Others work there:
// a file may go meanwhile.
func (c *canaries) walk(t *testing.T, where, dir string, skip func(path string) bool) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case skip != nil && skip(path) && entry.IsDir():
			return fs.SkipDir
		case skip != nil && skip(path):
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		if info, err := entry.Info(); err == nil && info.ModTime().After(c.began) {
			c.file(t, where, path)
		}
		return nil
	}))
}

// file searches a file, and what it holds compressed.
func (c *canaries) file(t *testing.T, where, path string) {
	t.Helper()
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	require.NoError(t, err)
	defer file.Close()
	c.stream(t, where, path, io.NopCloser(file))
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return
	}
	if content, err := gzip.NewReader(file); err == nil {
		c.stream(t, where, path+", unpacked", content)
	}
}
