package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// A step of a retry uses a stored result again only when it would be made from the same input. These digests say what the
// input is.

// planInput identifies what a plan is made from: the commit, the settings that the planner reads, the warnings that it must not
// have, and the names of the secrets that it mounts.
func planInput(commit string, p deployment.Project, mounted []string) (string, error) {
	b := p.Build.WithDefaults()
	return inputDigest(commit, p.RootDir, p.Builder, p.InstallCommand, p.BuildCommand, p.StartCommand, p.ReleaseCommand, p.Port, mounted,
		b.Dockerfile, b.Static, b.Strict, b.Repairs, b.Network, b.NonRoot)
}

// imageInput identifies what an image is built from: the plan, the settings that the builder reads, and the variables of the
// build. Their versions stand for their values, which are secrets.
func imageInput(plan *deployment.Plan, p deployment.Project, vars []deployment.EnvVar) (string, error) {
	digest, err := plan.Digest()
	if err != nil {
		return "", err
	}
	versions := map[string]string{}
	for _, v := range vars {
		if v.Target.At(deployment.TargetBuild) {
			versions[v.Name] = v.Version
		}
	}
	return inputDigest(digest, versions, p.Build.Network, p.Build.Provenance, p.Build.SBOM, p.Build.Reproducible, p.Build.SSH)
}

// planInputOf is planInput of a deployment whose commit is known.
func planInputOf(d deployment.Deployment, p deployment.Project, vars []deployment.EnvVar) (input string, mounted []string, err error) {
	mounted = append(names(secretsOf(vars)), names(systemVariables(d, ""))...)
	input, err = planInput(d.Commit, p, mounted)
	return input, mounted, err
}

func inputDigest(parts ...any) (string, error) {
	data, err := json.Marshal(parts)
	if err != nil {
		return "", fmt.Errorf("encode input: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
