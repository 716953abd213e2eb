package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/client"
	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
	domain "github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/logs"
)

// localBuild is what `slipway build FOLDER --output json` prints.
type localBuild struct {
	Plan       client.Plan         `json:"plan"`
	Dockerfile string              `json:"dockerfile"`
	Digest     string              `json:"image_digest,omitempty"`
	Pushed     string              `json:"pushed,omitempty"`
	Saved      string              `json:"saved,omitempty"`
	Build      domain.BuildFigures `json:"build"`
}

func (c *cli) buildFolder(ctx context.Context, folder string, f *buildFolderFlags) error {
	vars, err := c.variables(ctx, f)
	if err != nil {
		return err
	}
	builder, err := c.builder(ctx, f)
	if err != nil {
		return err
	}
	defer func() { _ = builder.Close() }() // the build is over
	f.secrets = slices.Sorted(maps.Keys(vars))
	planned, err := c.plan(ctx, folder, &f.planFlags)
	if err != nil {
		return err
	}
	defer planned.remove()
	c.warn(planned.shown.Warnings)
	if err := planned.refused(); err != nil {
		return err
	}
	request := planned.request(folder, f)
	request.Secrets = vars
	if f.save != "" {
		file, err := newWhole(filepath.Join(c.base(f.save), f.save))
		if err != nil {
			return err
		}
		defer file.drop()
		request.Output.To = file
	}
	view := c.newBuildView(logs.Redacting(slices.Collect(maps.Values(vars))))
	outcome, err := builder.Solve(ctx, request, view)
	view.end()
	if err != nil {
		return view.failed(ctx, err)
	}
	if file, saved := request.Output.To.(*whole); saved {
		if err := file.keep(); err != nil {
			return err
		}
	}
	built := localBuild{planned.shown, planned.dockerfile, outcome.Digest, f.push, f.save, outcome.BuildFigures}
	for i, v := range built.Build.Vertices {
		built.Build.Vertices[i].Name = view.redact(v.Name)
	}
	return c.print(built, func() error { return c.printBuilt(built) })
}

func (c *cli) printBuilt(built localBuild) error {
	for _, line := range built.Build.Summary() {
		if err := c.line("%s", line); err != nil {
			return err
		}
	}
	switch {
	case built.Pushed != "":
		return c.line("pushed %s@%s", built.Pushed, built.Digest)
	case built.Saved != "":
		return c.line("saved %s in %s", built.Digest, built.Saved)
	}
	return c.line("it builds; --push or --save make an image of it")
}

// builder returns the buildkitd to use.
func (c *cli) builder(ctx context.Context, f *buildFolderFlags) (*buildkit.Builder, error) {
	pool, _, _ := strings.Cut(c.env("SLIPWAY_BUILDKIT_ADDR"), ",") // any of a worker's will do
	address := orElse(f.buildkit, orElse(c.env("BUILDKIT_HOST"), strings.TrimSpace(pool)))
	if address == "" {
		data, err := filepath.Abs(filepath.Join(c.base(orElse(c.env("SLIPWAY_DATA_DIR"), ".slipway")), orElse(c.env("SLIPWAY_DATA_DIR"), ".slipway")))
		if err != nil {
			return nil, err
		}
		dev := config.Dev{DataDir: data}
		address = dev.OwnBuildKit()
		if _, err := os.Stat(strings.TrimPrefix(address, "unix://")); err != nil {
			return nil, &shownError{
				message: "no buildkitd is named, and no slipway-dev runs in this folder",
				fix:     "docker run -d --name buildkitd --privileged moby/buildkit, then give --buildkit docker-container://buildkitd", exit: exitUsage,
			}
		}
	}
	scheme, _, _ := strings.Cut(address, "://")
	if !slices.Contains([]string{"unix", "tcp", "docker-container", "kube-pod"}, scheme) {
		return nil, &shownError{
			message: fmt.Sprintf("--buildkit %s: is not the address of a buildkitd", address), exit: exitUsage,
			fix: "give an address such as unix:///run/buildkit/buildkitd.sock, tcp://host:1234 or docker-container://name",
		}
	}
	builder, err := buildkit.New(ctx, buildkit.Options{
		Address: address, RegistryInsecure: f.insecure || ownRegistry(f.push), DockerLogin: true,
		CA: c.env("SLIPWAY_BUILDKIT_CA_FILE"), Cert: c.env("SLIPWAY_BUILDKIT_CERT_FILE"), Key: c.env("SLIPWAY_BUILDKIT_KEY_FILE"),
	})
	if err != nil {
		return nil, &shownError{message: err.Error(), fix: "check the address, and the certificates that the environment names", exit: exitUsage}
	}
	return builder, nil
}

// ownRegistry tells a registry on this machine, which Docker speaks plain HTTP to as well.
func ownRegistry(image string) bool {
	host, _, _ := strings.Cut(image, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// request says what is built, as a deploy would.
func (p *plannedFolder) request(folder string, f *buildFolderFlags) domain.BuildRequest {
	r := domain.BuildRequest{
		Ref: "folder-" + strings.ToLower(rand.Text()), ContextDir: filepath.Join(p.source, filepath.FromSlash(p.plan.ContextDir())),
		Dockerfile: p.dockerfile, Frontend: p.plan.Frontend, DockerfilePath: p.plan.DockerfilePath, Target: p.plan.Target,
		BuildArgs: p.plan.BuildArgs, Ignore: p.plan.Ignore, Network: p.project.Build.Network, NoCache: f.noCache,
		CacheScope: scopeOf(folder), Image: f.push, Output: domain.BuildOutput{Kind: domain.OutputNone},
	}
	switch {
	case f.push != "":
		r.Output.Kind = domain.OutputPush
	case f.save != "":
		r.Output.Kind, r.Image = domain.OutputKind(f.saveFormat), orElse(f.tag, imageName(folder))
	}
	return r
}

// scopeOf names the cache of a folder: a build there finds what the one before has left, and no other's.
func scopeOf(folder string) string {
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	sum := sha256.Sum256([]byte(folder))
	return "folder-" + hex.EncodeToString(sum[:8])
}

var unnamed = regexp.MustCompile(`[^a-z0-9]+`)

// imageName makes the name of an image out of a folder's.
func imageName(folder string) string {
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	name := strings.Trim(unnamed.ReplaceAllString(strings.ToLower(filepath.Base(folder)), "-"), "-")
	return fmt.Sprintf("%s:latest", orElse(name, "app"))
}
