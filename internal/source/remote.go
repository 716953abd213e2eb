package source

import (
	"context"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// remote is a session with a server that has told its refs.
type remote struct {
	session transport.UploadPackSession
	refs    *packp.AdvRefs
	thin    bool // the server can make packs of deltas from objects that are not in them
}

// open connects to a repository and reads its refs. The session lives as long as ctx at most.
func (t *trip) open(ctx context.Context, u *url.URL) (*remote, error) {
	session, err := t.session(ctx, u)
	if err != nil {
		return nil, t.classify(ctx, u, err)
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		_ = session.Close() // the first error tells more
		return nil, t.classify(ctx, u, err)
	}
	return &remote{session: session, refs: refs, thin: strings.Contains(t.said.String(), " "+string(capability.ThinPack))}, nil
}

// maxSaid is how much of a server's first words holds what it can do.
const maxSaid = 4 << 10

func (t *trip) session(ctx context.Context, u *url.URL) (transport.UploadPackSession, error) {
	t.said = &headBuffer{limit: maxSaid}
	if u.Scheme == "ssh" {
		return t.uploadPack(ctx, u)
	}
	endpoint, err := transport.NewEndpoint(u.String())
	if err != nil {
		return nil, err
	}
	return t.gitTransport(u).NewUploadPackSession(endpoint, nil)
}

func (r *remote) close() { _ = r.session.Close() } // a session that was only read from loses nothing

// commitOf returns the commit that a ref points to, through an annotated tag too.
func (r *remote) commitOf(ref string) (plumbing.Hash, bool) {
	if peeled, ok := r.refs.Peeled[ref]; ok {
		return peeled, true
	}
	hash, ok := r.refs.References[ref]
	return hash, ok
}

// headBranch returns the branch that the remote's HEAD names, without refs/heads/; empty when it names none.
func (r *remote) headBranch() string {
	all, err := r.refs.AllReferences()
	if err != nil {
		return "" // HEAD is detached
	}
	head, err := all.Reference(plumbing.HEAD)
	if err != nil || head.Type() != plumbing.SymbolicReference {
		return ""
	}
	branch, ok := strings.CutPrefix(string(head.Target()), "refs/heads/")
	if !ok || deployment.ValidateRef(deployment.Ref{Kind: deployment.RefBranch, Name: branch}) != nil {
		return ""
	}
	return branch
}

// display returns a repository's URL for messages: without a user.
func display(repoURL string) string {
	u, err := deployment.ParseRepoURL(repoURL)
	if err != nil {
		return "the repository"
	}
	return shown(u)
}

func shown(u *url.URL) string {
	anonymous := *u
	anonymous.User = nil
	return anonymous.String()
}
