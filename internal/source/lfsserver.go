package source

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"

	gitconfig "github.com/go-git/go-git/v5/plumbing/format/config"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// lfsServer is where a repository's Git LFS objects are asked for.
type lfsServer struct {
	url    *url.URL // objects/batch is below it
	grants []grant
}

// What the batch API says (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md).
type (
	lfsQuestion struct {
		Operation string      `json:"operation"`
		Transfers []string    `json:"transfers"`
		Objects   []lfsObject `json:"objects"`
	}
	lfsAnswers struct {
		Transfer string      `json:"transfer"`
		Objects  []lfsAnswer `json:"objects"`
	}
	lfsAnswer struct {
		OID     string `json:"oid"`
		Actions struct {
			Download *lfsAction `json:"download"`
		} `json:"actions"`
		Error *lfsError `json:"error"`
	}
	lfsAction struct {
		Href   string            `json:"href"`
		Header map[string]string `json:"header"`
	}
	lfsError struct {
		Code int `json:"code"`
	}
)

const (
	lfsMediaType   = "application/vnd.git-lfs+json"
	maxAnswerBytes = 16 << 20
)

// lfsServer finds the server: what .lfsconfig says, else the one beside the repository at u. One that is reached by ssh
// says itself where it is and what to send there.
func (t *trip) lfsServer(ctx context.Context, u *url.URL, root *os.Root) (*lfsServer, error) {
	configured, err := t.configuredLFS(root)
	if err != nil {
		return nil, err
	}
	switch {
	case configured != nil && configured.Scheme != "ssh":
		return &lfsServer{url: configured, grants: t.grants(configured)}, nil
	case configured != nil:
		u = configured
	}
	if u.Scheme == "ssh" {
		return t.lfsOverSSH(ctx, u)
	}
	beside := *u
	beside.Path, beside.RawPath = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")+".git/info/lfs", ""
	return &lfsServer{url: &beside, grants: t.grants(u)}, nil
}

// configuredLFS reads lfs.url of .lfsconfig, nil for none.
func (t *trip) configuredLFS(root *os.Root) (*url.URL, error) {
	content, err := readConfig(root, ".lfsconfig")
	if err != nil || content == nil {
		return nil, err
	}
	parsed := gitconfig.New()
	if err := gitconfig.NewDecoder(bytes.NewReader(content)).Decode(parsed); err != nil {
		return nil, treeInvalid(".lfsconfig: %w", err)
	}
	raw := parsed.Section("lfs").Option("url")
	if raw == "" {
		return nil, nil
	}
	u, fault := t.parse(raw)
	if fault != nil {
		return nil, deployment.UserFailure("source.url_invalid", fault.Fix, "lfs.url in .lfsconfig %s", fault.Fault)
	}
	return u, nil
}

// lfsOverSSH asks the git server by ssh where its objects are.
func (t *trip) lfsOverSSH(ctx context.Context, u *url.URL) (*lfsServer, error) {
	l, err := t.login(ctx, u)
	if err != nil {
		return nil, t.classify(ctx, u, err)
	}
	defer l.Close()
	shell, err := l.NewSession()
	if err != nil {
		return nil, t.classify(ctx, u, err)
	}
	out := headBuffer{limit: maxConfigBytes}
	shell.Stdout = &out
	if err := shell.Run(remoteCommand("git-lfs-authenticate", u) + " download"); err != nil {
		if ctx.Err() != nil {
			return nil, t.classify(ctx, u, err)
		}
		return nil, notLFS(u)
	}
	var said lfsAction
	if json.Unmarshal(out.head, &said) != nil {
		return nil, notLFS(u)
	}
	server, err := t.lfsURL(u, said.Href)
	if err != nil {
		return nil, err
	}
	return &lfsServer{url: server, grants: []grant{{origin: origin(server), header: asHeader(said.Header)}}}, nil
}

// lfsURL reads a URL that a Git LFS server says.
func (t *trip) lfsURL(server *url.URL, raw string) (*url.URL, error) {
	u, err := server.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, notLFS(server)
	}
	if !t.guard.allows(u) || u.Scheme == "ssh" {
		return nil, deployment.UserFailure("source.lfs_unavailable", "set up the Git LFS server so that it names https URLs",
			"the Git LFS server names %s, whose scheme is not allowed", deployment.OriginOf(u))
	}
	return u, nil
}

// askObjects asks where a batch of objects is: OID → answer.
func (t *trip) askObjects(ctx context.Context, server *lfsServer, batch []lfsObject) (map[string]lfsAnswer, error) {
	question, err := json.Marshal(lfsQuestion{Operation: "download", Transfers: []string{"basic"}, Objects: batch})
	if err != nil {
		return nil, err
	}
	u := server.url.JoinPath("objects", "batch")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(question))
	if err != nil {
		return nil, notLFS(u)
	}
	req.Header.Set("Accept", lfsMediaType)
	req.Header.Set("Content-Type", lfsMediaType)
	resp, err := t.httpClient(server.grants...).Do(req)
	if err != nil {
		return nil, t.classify(ctx, u, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, t.lfsStatus(u, resp.StatusCode)
	}
	var said lfsAnswers
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, t.classify(ctx, u, err)
	}
	if json.Unmarshal(content, &said) != nil || (said.Transfer != "" && said.Transfer != "basic") {
		return nil, notLFS(u)
	}
	answers := make(map[string]lfsAnswer, len(said.Objects))
	for _, answer := range said.Objects {
		answers[answer.OID] = answer
	}
	return answers, nil
}

// grantsFor returns what a download may carry: what the server says, and at the server itself what it was asked with.
func (s *lfsServer) grantsFor(u *url.URL, header map[string]string) []grant {
	own := http.Header{}
	for _, g := range s.grants {
		if g.origin == origin(u) {
			maps.Copy(own, g.header)
		}
	}
	maps.Copy(own, asHeader(header))
	if len(own) == 0 {
		return nil
	}
	return []grant{{origin: origin(u), header: own}}
}

func asHeader(fields map[string]string) http.Header {
	header := http.Header{}
	for name, value := range fields {
		header.Set(name, value)
	}
	return header
}

// lfsStatus is the failure that an HTTP status of a Git LFS server means.
func (t *trip) lfsStatus(u *url.URL, code int) error {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return t.denied(u)
	case http.StatusNotFound:
		return notLFS(u)
	}
	return fmt.Errorf("Git LFS: %w", answeredStatus(code)) //nolint:staticcheck // a name
}

func notLFS(u *url.URL) *deployment.Failure {
	return deployment.UserFailure("source.lfs_unavailable", "switch Git LFS on for the repository at its host, or name the server in .lfsconfig (lfs.url)",
		"the repository's files are in Git LFS, and %s does not serve it", deployment.OriginOf(u))
}
