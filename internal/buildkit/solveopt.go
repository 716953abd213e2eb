package buildkit

import (
	"fmt"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/tonistiigi/fsutil"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// solveOpt says to BuildKit what r means. The Dockerfile comes from a folder of its own, so that what the repository has
// at that path does not matter. A worker's session carries the operator's logins for registries and no others: its own Docker
// configuration is never read.
func (b *Builder) solveOpt(r deployment.BuildRequest, dockerfileDir string) (client.SolveOpt, error) {
	tree, err := contextFS(r.ContextDir, r.Ignore)
	if err != nil {
		return client.SolveOpt{}, err
	}
	dockerfile, err := fsutil.NewFS(dockerfileDir)
	if err != nil {
		return client.SolveOpt{}, fmt.Errorf("read Dockerfile: %w", err)
	}
	frontend, attrs, err := frontendOf(r)
	if err != nil {
		return client.SolveOpt{}, err
	}
	var logins deployment.RegistryLogins
	if b.logins != nil {
		if logins, err = b.logins(); err != nil {
			return client.SolveOpt{}, deployment.PlatformFailure("build.logins_unreadable", "put SLIPWAY_REGISTRY_AUTH_FILE right; it is read anew for each build", "%w", err)
		}
	}
	attached, err := b.attached(r, logins)
	if err != nil {
		return client.SolveOpt{}, err
	}
	return client.SolveOpt{
		Ref:           r.Ref,
		Frontend:      frontend,
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{"context": tree, "dockerfile": dockerfile},
		SharedKey:     r.CacheScope, // without it all projects take turns in one slot, and each uploads its context whole
		Session:       attached,
		Exports:       b.exports(r),
		CacheImports:  b.cacheImports(r),
		CacheExports:  b.cacheExports(r),
		SourcePolicy:  sourcePolicy(r.Image, logins),
	}, nil
}

// attached is what the daemon may ask for while it solves: values of secrets, signatures, and logins for registries.
func (b *Builder) attached(r deployment.BuildRequest, logins deployment.RegistryLogins) ([]session.Attachable, error) {
	secrets := make(map[string][]byte, len(r.Secrets)+len(r.Variables))
	for id, value := range r.Variables {
		secrets[id] = []byte(value)
	}
	for id, value := range r.Secrets {
		secrets[id] = []byte(value)
	}
	attached := []session.Attachable{secretsprovider.FromMap(secrets)}
	if r.SSHKey != "" {
		keys, err := newSSHAgent(r.SSHKey)
		if err != nil {
			return nil, err
		}
		attached = append(attached, keys)
	}
	find := operatorLogins(logins)
	if b.dockerLogin {
		find = dockerLogins
	} else if len(logins) == 0 {
		return attached, nil
	}
	answers, err := newSessionLogins(find)
	return append(attached, answers), err
}

// contextFS is the build context without what ignore names. It filters where the files are sent from, so a repository's
// own .dockerignore, which BuildKit applies on top, can hide more but cannot bring anything back.
func contextFS(dir string, ignore []string) (fsutil.FS, error) {
	tree, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, fmt.Errorf("read build context: %w", err)
	}
	if len(ignore) == 0 {
		return tree, nil
	}
	tree, err = fsutil.NewFilterFS(tree, &fsutil.FilterOpt{ExcludePatterns: ignore})
	if err != nil {
		return nil, fmt.Errorf("apply ignore patterns to the build context: %w", err)
	}
	return tree, nil
}

// frontendOf returns what reads r's Dockerfile, and what it is told.
func frontendOf(r deployment.BuildRequest) (name string, attrs map[string]string, err error) {
	if r.Frontend != "" {
		attrs, err = railpackAttrs(r)
		return "gateway.v0", attrs, err
	}
	attrs, err = dockerfileAttrs(r)
	return "dockerfile.v0", attrs, err
}

func dockerfileAttrs(r deployment.BuildRequest) (map[string]string, error) {
	attrs := map[string]string{
		"filename": dockerfileName,
		// What a frontend image is started with. Its presence makes the built-in frontend read the Dockerfile itself instead
		// of pulling and running whatever image a "# syntax=" line names.
		"cmdline": "slipway",
		// Cache mounts are named by the Dockerfile; without a namespace one project could write into another's.
		"build-arg:BUILDKIT_CACHE_MOUNT_NS": r.CacheScope,
	}
	if r.NoCache {
		attrs["no-cache"] = "" // of every stage
	}
	if r.Target != "" {
		attrs["target"] = r.Target
	}
	for name, value := range r.BuildArgs {
		attrs["build-arg:"+name] = value
	}
	if r.Network == deployment.BuildNetworkNone {
		attrs["force-network-mode"] = string(deployment.BuildNetworkNone)
	}
	if r.Provenance != "" && r.Provenance != deployment.ProvenanceOff {
		attrs["attest:provenance"] = "mode=" + string(r.Provenance)
	}
	if r.SBOMScanner != "" {
		attrs["attest:sbom"] = "generator=" + r.SBOMScanner
	}
	for name, value := range r.Labels {
		attrs["label:"+name] = value
	}
	if len(r.Secrets) > 0 {
		fingerprint, err := secretsFingerprint(r.CacheScope, r.Secrets)
		if err != nil {
			return nil, fmt.Errorf("fingerprint secrets: %w", err)
		}
		// BuildKit leaves secrets out of the key that it caches a step's result under: without this a changed secret would
		// change nothing, and a project would be given what another one built with its own. Extra hosts are in the key.
		attrs["add-hosts"] = "secrets-" + fingerprint + ".invalid=127.0.0.1"
	}
	return attrs, nil
}
