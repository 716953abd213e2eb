package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Build turns a stored plan into an image in the registry.
type Build struct {
	Store      Store
	Ledger     Ledger
	Logs       LogWriter
	Builder    Builder
	Images     ImageStore
	Workspaces Workspaces
	PushHost   string             // the registry as BuildKit reaches it
	Gateway    deployment.Gateway // makes the addresses that apps are told
	Built      func(BuildOutcome) // told of every solve that succeeded; may be nil

	SBOMScanner string // image that lists what an image holds, for projects that ask for it

	RegistryCache bool       // keeps the steps of production's builds in the registry, for every build of the project
	exporting     sync.Mutex // is locked by the export that goes on
}

// BuildImage solves and pushes to a tag of this attempt alone; the digest is the result. An attempt whose predecessor
// died looks for what that one finished before it builds again.
func (b *Build) BuildImage(ctx context.Context, in temporal.BuildInput) (temporal.BuildResult, error) {
	d, p, err := load(ctx, b.Store, in.DeploymentID)
	if err != nil {
		return temporal.BuildResult{}, err
	}
	log := logOf(ctx, b.Logs)
	repository := p.Name
	input, err := b.input(ctx, d, p)
	if err != nil {
		return temporal.BuildResult{}, err
	}
	if digest, err := b.finishedBefore(ctx, d, repository, input); err != nil {
		return temporal.BuildResult{}, err
	} else if digest != "" {
		log.say("image %s was built before", digest)
		return b.done(ctx, d, input, temporal.BuildResult{Image: repository, Digest: digest, Reused: true}, nil)
	}
	checkout, err := b.Workspaces.Open(d.ID, in.Commit)
	if err != nil {
		return temporal.BuildResult{}, err
	}
	request, err := b.request(ctx, d, p, checkout)
	if err != nil {
		return temporal.BuildResult{}, err
	}
	request.CacheFrom = b.cacheFrom(ctx, d)
	builder, done, err := b.Builder.Choose(ctx, p.ID)
	if err != nil {
		return temporal.BuildResult{}, err
	}
	defer done()
	if err := b.announce(ctx, d, builder, request, input); err != nil {
		return temporal.BuildResult{}, err
	}
	stopped := make(chan time.Time, 1)
	defer context.AfterFunc(ctx, func() { stopped <- time.Now() })()
	outcome, err := b.solve(ctx, builder, request, time.Duration(p.BuildTimeoutSeconds)*time.Second)
	if err != nil {
		return temporal.BuildResult{}, errors.Join(err, b.ended(ctx, builder, request.Ref, stopped))
	}
	if b.Built != nil {
		b.Built(outcome)
	}
	log.say("pushed %s", outcome.Digest)
	built := temporal.BuildResult{Image: repository, Digest: outcome.Digest}
	if exports, err := b.exports(ctx, d, outcome); err != nil {
		return temporal.BuildResult{}, err
	} else if exports {
		built.CachedOn = builder
	}
	return b.done(ctx, d, input, built, b.figures(ctx, d, outcome))
}

// input identifies what the deployment's image is built from.
func (b *Build) input(ctx context.Context, d deployment.Deployment, p deployment.Project) (string, error) {
	if d.Plan == nil {
		return "", deployment.PlatformFailure("plan.missing", "deploy again", "build image: no plan is stored")
	}
	vars, err := b.Store.EnvVars(ctx, d.Scope())
	if err != nil {
		return "", err
	}
	return imageInput(d.Plan, p, vars)
}

// announce makes the attempt known before it begins: its tag in the ledger, its ref and builder in the heartbeat.
func (b *Build) announce(ctx context.Context, d deployment.Deployment, builder string, r BuildRequest, input string) error {
	tag := deployment.Resource{Kind: deployment.ResourceImageTag, Name: r.Image, DeploymentID: d.ID, RunID: attemptOf(ctx).RunID}
	if err := b.Ledger.Own(ctx, tag); err != nil {
		return err
	}
	pulseOf(ctx).change(func(beat *Beat) {
		beat.Builder, beat.Ref, beat.Image, beat.Input = builder, r.Ref, r.Image, input
		beat.Progress = deployment.Progress{Phase: deployment.PhaseSolve}
	})
	return nil
}

// solve builds within the project's build time-out: passing it is the user's to change, so it is class user.
func (b *Build) solve(ctx context.Context, builder string, r BuildRequest, timeout time.Duration) (BuildOutcome, error) {
	errLate := errors.New("build time-out")
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errLate)
	defer cancel()
	tail := &tailSink{ctx: ctx, log: logOf(ctx, b.Logs), pulse: pulseOf(ctx)}
	outcome, err := b.Builder.Solve(limited, builder, r, tail)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), errLate) {
		f := deployment.UserFailure("build.timeout", "make the build faster, or raise the project's build_timeout_seconds",
			"build image: not finished within %s", timeout)
		f.Lines = tail.last()
		return outcome, f
	}
	return outcome, err
}

// ended writes a solve that a cancel has stopped into the receipt, once the builder's own history says that it runs no more;
// stopped tells when ctx ended. A builder that does not answer leaves no line.
func (b *Build) ended(ctx context.Context, builder, ref string, stopped <-chan time.Time) error {
	if !sdktemporal.IsCanceledError(context.Cause(ctx)) {
		return nil
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	if _, err := b.Builder.Lookup(look, builder, ref); err != nil {
		return err
	}
	return b.Ledger.SolveEnded(look, attemptOf(ctx), ref, time.Since(<-stopped))
}

// finishedBefore returns the digest of an image that this deployment has built already and that is still there: stored by
// whichever run, from the same input; or pushed by an attempt of this run that died before it could say so, or finished in
// that builder's history.
func (b *Build) finishedBefore(ctx context.Context, d deployment.Deployment, repository, input string) (string, error) {
	if d.ImageDigest != "" && d.ImageInput == input && d.ImageRemovedAt == nil {
		return digestOf(ctx, b.Images, b.PushHost, b.PushHost+"/"+repository+"@"+d.ImageDigest)
	}
	var last Beat
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &last) == nil && last.Ref != "" && last.Input == input {
		if digest, err := digestOf(ctx, b.Images, b.PushHost, last.Image); err != nil || digest != "" {
			return digest, err
		}
		wait, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		digest, err := b.Builder.Lookup(wait, last.Builder, last.Ref)
		if err == nil && digest != "" {
			return digestOf(ctx, b.Images, b.PushHost, b.PushHost+"/"+repository+"@"+digest)
		}
	}
	return "", nil
}

func (b *Build) request(ctx context.Context, d deployment.Deployment, p deployment.Project, checkout string) (BuildRequest, error) {
	vars, err := b.Store.EnvVars(ctx, d.Scope())
	if err != nil {
		return BuildRequest{}, err
	}
	info, err := os.Stat(checkout)
	if err != nil {
		return BuildRequest{}, fmt.Errorf("ask a checkout for the commit's time: %w", err)
	}
	scanner := ""
	if p.Build.SBOM {
		scanner = b.SBOMScanner
	}
	key, err := b.sshKey(ctx, p)
	if err != nil {
		return BuildRequest{}, err
	}
	secrets := secretsOf(vars)
	variables := systemVariables(d, b.Gateway.Environment(d))
	for _, name := range environmentVariables {
		secrets[name] = variables[name]
		delete(variables, name)
	}
	name := fmt.Sprintf("%s/%s:%s-%d-%s", b.PushHost, p.Name, d.ID, attemptOf(ctx).Attempt, strings.ToLower(rand.Text()[:8]))
	return BuildRequest{
		Ref:        strings.ReplaceAll(name[strings.LastIndex(name, ":")+1:], "_", "-"),
		ContextDir: filepath.Join(checkout, filepath.FromSlash(d.Plan.ContextDir())),
		Dockerfile: d.Dockerfile, Frontend: d.Plan.Frontend, Ignore: d.Plan.Ignore, Image: name, NoCache: d.Force,
		Secrets: secrets, Variables: variables, SSHKey: key, CacheScope: p.ID,
		DockerfilePath: d.Plan.DockerfilePath, Target: d.Plan.Target, BuildArgs: d.Plan.BuildArgs, Network: p.Build.Network,
		Labels: labels(d, p, info.ModTime()), Committed: info.ModTime(), Reproducible: p.Build.Reproducible,
		Provenance: p.Build.Provenance, SBOMScanner: scanner,
	}, nil
}

// sshKey is the key of a project's own repository, for steps that fetch more with it, if the project wants that.
func (b *Build) sshKey(ctx context.Context, p deployment.Project) (string, error) {
	if !p.Build.SSH {
		return "", nil
	}
	credential, err := b.Store.GitCredential(ctx, p.ID)
	if err != nil {
		return "", err
	}
	if credential == nil || credential.Kind != deployment.CredentialSSHKey || !credential.Opens(p.RepoURL) {
		return "", deployment.UserFailure("build.ssh_key_missing", "set an SSH key as the project's git credential, or turn its setting build_ssh off",
			"build_ssh is on, and the project has no SSH key for %s", p.RepoURL)
	}
	return credential.Secret, nil
}

// labels are what an image says about itself, to its owner and to any tool that knows the Open Containers Initiative's words
// (image-spec, annotations.md).
func labels(d deployment.Deployment, p deployment.Project, committed time.Time) map[string]string {
	return map[string]string{
		"slipway.project":                 p.ID, // and not the deployment: the same steps of two deployments give the same image
		"org.opencontainers.image.source": p.RepoURL, "org.opencontainers.image.revision": d.Commit,
		"org.opencontainers.image.created": committed.UTC().Format(time.RFC3339),
	}
}

// done stores the image with the input that it was built from. Figures are of a solve that this attempt has seen to its end, and
// stay out of the result: that is history.
func (b *Build) done(ctx context.Context, d deployment.Deployment, input string, built temporal.BuildResult, figures *deployment.BuildFigures) (temporal.BuildResult, error) {
	image := deployment.BuiltImage{Image: built.Image, Digest: built.Digest, Input: input, Figures: figures}
	if err := b.Store.SetImage(ctx, d.ID, attemptOf(ctx).RunID, image); err != nil {
		return temporal.BuildResult{}, err
	}
	return built, nil
}
