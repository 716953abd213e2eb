package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/config"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Bounds of submodules. A submodule may name the repository that it is in.
const (
	maxSubmodules     = 100
	maxSubmoduleDepth = 8
	maxConfigBytes    = 1 << 20 // of .gitmodules, and of .lfsconfig
)

// fetchSubmodules checks out what the links of a repository stand for, each through the guard like any other repository.
func (t *trip) fetchSubmodules(ctx context.Context, parent *url.URL, links []gitLink, to target) error {
	if len(links) == 0 {
		return nil
	}
	urls, err := moduleURLs(to.root)
	if err != nil {
		return err
	}
	named := slices.DeleteFunc(slices.Clone(links), func(link gitLink) bool { _, ok := urls[link.path]; return !ok })
	if len(named) < len(links) {
		t.line(fmt.Sprintf("%d folders stand for other repositories that .gitmodules does not name: they stay empty", len(links)-len(named)))
	}
	switch t.left.submodules -= len(named); {
	case t.left.submodules < 0:
		return tooManySubmodules("the repository has more than %d submodules", maxSubmodules)
	case len(named) > 0 && to.depth >= maxSubmoduleDepth:
		return tooManySubmodules("submodules are nested deeper than %d", maxSubmoduleDepth)
	}
	for _, link := range named {
		if err := t.fetchSubmodule(ctx, parent, link, urls[link.path], to); err != nil {
			return fmt.Errorf("submodule %q: %w", link.path, err)
		}
	}
	return nil
}

func (t *trip) fetchSubmodule(ctx context.Context, parent *url.URL, link gitLink, raw string, to target) error {
	u, err := t.submoduleURL(parent, raw)
	if err != nil {
		return err
	}
	root, err := to.root.OpenRoot(link.path)
	if err != nil {
		return t.classifyCheckout(ctx, err)
	}
	defer func() { _ = root.Close() }() // holds no data
	return t.fetch(ctx, u, link.commit, deployment.Ref{}, target{root: root, packs: to.packs, depth: to.depth + 1})
}

// submoduleURL resolves a URL of .gitmodules as git does: "./" and "../" go from the parent's URL on. A user without a
// password, which some hosts put into the URLs that they show, is left out.
func (t *trip) submoduleURL(parent *url.URL, raw string) (*url.URL, error) {
	if strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") {
		u := *parent
		u.Path, u.RawPath = path.Join(parent.Path, raw), ""
		if strings.HasPrefix(u.Path, "-") || strings.HasPrefix(u.Path, "../") || u.Path == ".." {
			return nil, moduleURLInvalid("leads out of the server's repositories", "correct it in .gitmodules")
		}
		return &u, nil
	}
	if u, err := url.Parse(raw); err == nil && u.Scheme != "ssh" && u.User != nil {
		if _, secret := u.User.Password(); !secret {
			u.User = nil
			raw = u.String()
		}
	}
	u, fault := t.parse(raw)
	if fault != nil {
		return nil, moduleURLInvalid(fault.Fault, fault.Fix)
	}
	return u, nil
}

func moduleURLInvalid(fault, fix string) *deployment.Failure {
	return deployment.UserFailure("source.url_invalid", fix, "its URL in .gitmodules %s", fault)
}

func tooManySubmodules(format string, args ...any) *deployment.Failure {
	return deployment.UserFailure("source.too_many_submodules", "leave submodules out that the app is not built from", format, args...)
}

// moduleURLs reads .gitmodules: path → URL.
func moduleURLs(root *os.Root) (map[string]string, error) {
	content, err := readConfig(root, ".gitmodules")
	if err != nil {
		return nil, err
	}
	modules := config.NewModules()
	if err := modules.Unmarshal(content); err != nil {
		return nil, treeInvalid(".gitmodules: %w", err)
	}
	urls := map[string]string{}
	for _, module := range modules.Submodules {
		urls[path.Clean(module.Path)] = module.URL
	}
	return urls, nil
}

// readConfig reads a file at the top of a checkout, nothing when it is not there. A symbolic link is not followed: it
// stands for what another repository or the host says.
func readConfig(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxConfigBytes) {
		return nil, treeInvalid("%s is not a file of at most %d MB", name, maxConfigBytes>>20)
	}
	if err != nil {
		return nil, deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "read %s: %w", name, err)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, deployment.PlatformFailure("source.checkout_failed", "look at the build host's disk", "read %s: %w", name, err)
	}
	defer file.Close()
	return io.ReadAll(file)
}
