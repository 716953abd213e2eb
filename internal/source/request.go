package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// deepenBy is how much history is asked for first when the commit is somewhere below a branch's tip.
const deepenBy = 100

// errNotOurRef says that the server refuses to hand out what was asked for by its id.
var errNotOurRef = errors.New("not our ref")

// request is one way to ask for a commit. Depth 0 asks for the whole history.
type request struct {
	wants []plumbing.Hash
	depth int
	label string
}

// requests lists the ways that may bring the commit, the cheapest first. A tip of a ref is handed out by every server, any
// other commit only by those that say so; from the rest it comes with the history of a branch or, at last, of all.
func (r *remote) requests(commit string, ref deployment.Ref) []request {
	if tip, ok := r.tipOf(plumbing.NewHash(commit)); ok {
		return []request{{wants: []plumbing.Hash{tip}, depth: 1}}
	}
	if r.refs.Capabilities.Supports(capability.AllowReachableSHA1InWant) {
		return []request{{wants: []plumbing.Hash{plumbing.NewHash(commit)}, depth: 1}}
	}
	var list []request
	if tip, label := r.hint(ref); !tip.IsZero() {
		list = append(
			list,
			request{wants: []plumbing.Hash{tip}, depth: deepenBy, label: fmt.Sprintf("the last %d commits of %s", deepenBy, label)},
			request{wants: []plumbing.Hash{tip}, label: "the history of " + label},
		)
	}
	if all := r.all(); len(all) > 0 {
		list = append(list, request{wants: all, label: "all branches and tags"})
	}
	return list
}

// tipOf returns what a ref points to that brings the commit at depth 1: the commit itself, or an annotated tag of it.
func (r *remote) tipOf(commit plumbing.Hash) (plumbing.Hash, bool) {
	for _, hash := range r.refs.References {
		if hash == commit {
			return commit, true
		}
	}
	for ref, peeled := range r.refs.Peeled {
		if tag, ok := r.refs.References[ref]; ok && peeled == commit {
			return tag, true
		}
	}
	return plumbing.ZeroHash, false
}

// hint returns the tip whose history most likely holds a commit that was once resolved from ref.
func (r *remote) hint(ref deployment.Ref) (tip plumbing.Hash, label string) {
	switch ref.Kind {
	case deployment.RefBranch:
		return r.refs.References["refs/heads/"+ref.Name], "branch " + ref.Name
	case deployment.RefTag:
		return r.refs.References["refs/tags/"+ref.Name], "tag " + ref.Name
	case deployment.RefDefault, deployment.RefCommit:
	}
	branch := r.headBranch()
	return r.refs.References["refs/heads/"+branch], "branch " + branch
}

func (r *remote) all() []plumbing.Hash {
	var hashes []plumbing.Hash
	for ref, hash := range r.refs.References {
		if strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/") {
			hashes = append(hashes, hash)
		}
	}
	slices.SortFunc(hashes, func(a, b plumbing.Hash) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(hashes)
}

// receive sends a request and stores and indexes the pack that answers it, in dir or beside the mirror.
func (t *trip) receive(ctx context.Context, r *remote, q request, dir string, m *mirror) (*found, error) {
	req := packp.NewUploadPackRequestFromCapabilities(r.refs.Capabilities)
	req.Wants = q.wants
	if q.depth > 0 && r.refs.Capabilities.Supports(capability.Shallow) {
		req.Depth = packp.DepthCommits(q.depth)
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return nil, err
		}
	}
	got := &found{objects: newObjects(nil, t.maxBytes), mirrored: q.mirrors(r)}
	if m != nil && got.mirrored {
		m.tell(req, r.thin)
		got.packs, dir = m.packs, m.all.dir
	}
	resp, err := r.session.UploadPack(ctx, req)
	if err != nil {
		if strings.Contains(err.Error(), errNotOurRef.Error()) { // go-git keeps the server's words only
			return nil, errNotOurRef
		}
		return nil, err
	}
	defer func() { _ = resp.Close() }() // everything of use has been read by then
	progress := &progressWriter{line: t.line}
	got.received, err = got.storePack(ctx, demultiplex(req, resp, progress), dir, m != nil && got.mirrored)
	return got, err
}

// demultiplex separates the pack from the messages that the server sends along with it.
func demultiplex(req *packp.UploadPackRequest, r io.Reader, progress io.Writer) io.Reader {
	kind := sideband.Sideband64k
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
	case req.Capabilities.Supports(capability.Sideband):
		kind = sideband.Sideband
	default:
		return r
	}
	demuxer := sideband.NewDemuxer(kind, r)
	demuxer.Progress = progress
	return demuxer
}
