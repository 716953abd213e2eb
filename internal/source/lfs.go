package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// lfsPointer is a file that stands for a Git LFS object.
type lfsPointer struct {
	path string
	lfsObject
}

// lfsObject names an object by content.
type lfsObject struct {
	OID  string `json:"oid"` // SHA-256 in hex
	Size int64  `json:"size"`
}

// pointerForm is the form of a pointer. Extensions, lines that begin with ext-, are for programs on the author's machine.
var pointerForm = regexp.MustCompile(`\Aversion https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]+\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n?\z`)

const maxPointerBytes = 1024

func parsePointer(content []byte) (lfsPointer, bool) {
	if len(content) > maxPointerBytes || !bytes.HasPrefix(content, []byte("version ")) {
		return lfsPointer{}, false
	}
	match := pointerForm.FindSubmatch(content)
	if match == nil {
		return lfsPointer{}, false
	}
	size, err := strconv.ParseInt(string(match[2]), 10, 64)
	return lfsPointer{lfsObject: lfsObject{OID: string(match[1]), Size: size}}, err == nil
}

// lfsBatch is how many objects are asked for at once, as git-lfs does.
const lfsBatch = 100

// fetchObjects puts the Git LFS objects of the repository at u in the place of their pointers.
func (t *trip) fetchObjects(ctx context.Context, u *url.URL, root *os.Root, pointers []lfsPointer) error {
	paths := map[lfsObject][]string{}
	var objects []lfsObject
	for _, pointer := range pointers {
		if t.left.bytes -= pointer.Size; t.left.bytes < 0 {
			return tooLarge("with its Git LFS objects the commit is larger than %d MB", t.maxBytes>>20)
		}
		if paths[pointer.lfsObject] == nil {
			objects = append(objects, pointer.lfsObject)
		}
		paths[pointer.lfsObject] = append(paths[pointer.lfsObject], pointer.path)
	}
	server, err := t.lfsServer(ctx, u, root)
	if err != nil {
		return err
	}
	t.line(fmt.Sprintf("fetching %d Git LFS objects from %s", len(objects), shown(server.url)))
	for batch := range slices.Chunk(objects, lfsBatch) {
		answers, err := t.askObjects(ctx, server, batch)
		if err != nil {
			return err
		}
		for _, object := range batch {
			if err := t.fetchObject(ctx, server, answers[object.OID], object, root, paths[object]); err != nil {
				return fmt.Errorf("Git LFS object of %q: %w", paths[object][0], err) //nolint:staticcheck // a name
			}
		}
	}
	return nil
}

// fetchObject downloads an object into the first of its files and copies it to the others.
func (t *trip) fetchObject(ctx context.Context, server *lfsServer, answer lfsAnswer, object lfsObject, root *os.Root, paths []string) error {
	if answer.Error != nil || answer.Actions.Download == nil {
		return objectMissing(object, answer.Error)
	}
	if err := t.download(ctx, server, answer.Actions.Download, object, root, paths[0]); err != nil {
		return err
	}
	for _, path := range paths[1:] {
		if err := copyFile(root, paths[0], path); err != nil {
			return t.classifyCheckout(ctx, err)
		}
	}
	return nil
}

func (t *trip) download(ctx context.Context, server *lfsServer, action *lfsAction, object lfsObject, root *os.Root, path string) (err error) {
	u, err := t.lfsURL(server.url, action.Href)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return notLFS(server.url)
	}
	resp, err := t.httpClient(server.grantsFor(u, action.Header)...).Do(req)
	if err != nil {
		return t.classify(ctx, u, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return objectMissing(object, nil)
	case !t.atHome(u) && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden):
		return deployment.AwayFailure(deployment.ComponentGit, "source.unreachable", fixNetwork, "%s refuses the download that %s offered", deployment.OriginOf(u), deployment.OriginOf(server.url))
	case resp.StatusCode != http.StatusOK:
		return t.lfsStatus(u, resp.StatusCode)
	}
	file, err := root.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return t.classifyCheckout(ctx, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return t.receiveObject(ctx, u, resp.Body, file, object)
}

// receiveObject writes an object while it checks it.
func (t *trip) receiveObject(ctx context.Context, u *url.URL, body io.Reader, file io.Writer, object lfsObject) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(diskWriter{file}, sum), io.LimitReader(body, object.Size+1))
	switch {
	case err != nil:
		return t.classify(ctx, u, err)
	case n < object.Size:
		return deployment.AwayFailure(deployment.ComponentGit, "source.unreachable", fixNetwork, "the server sent %d of %d bytes", n, object.Size)
	case hex.EncodeToString(sum.Sum(nil)) != object.OID:
		return deployment.UserFailure("source.lfs_object_corrupt", "push the object again: `git lfs push --all origin`",
			"what the server has under %s is another content", object.OID)
	}
	return nil
}

// objectMissing is the failure of an object that its server does not have.
func objectMissing(object lfsObject, said *lfsError) error {
	if said != nil && said.Code != http.StatusNotFound && said.Code != http.StatusGone {
		return answeredStatus(said.Code)
	}
	return deployment.UserFailure("source.lfs_object_missing", "push it from a clone that has it: `git lfs push --all origin`",
		"the server does not have %s (%s)", object.OID, size(object.Size))
}

// copyFile copies one file of a checkout over another.
func copyFile(root *os.Root, from, to string) (err error) {
	source, err := root.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := root.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
