package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// Plan turns a checkout into a plan and a Dockerfile.
type Plan struct {
	Store      Store
	Logs       LogWriter
	Planner    Planner
	Workspaces Workspaces
}

// MakePlan plans the checkout. The plan, its digest and the Dockerfile are stored and logged before anything is built:
// they are what a user opens first when a build fails.
func (a *Plan) MakePlan(ctx context.Context, in temporal.CommitInput) (temporal.PlanResult, error) {
	d, p, err := load(ctx, a.Store, in.DeploymentID)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	checkout, err := a.Workspaces.Open(d.ID, in.Commit)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	secrets, err := buildSecrets(ctx, a.Store, d)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	mounted := append(names(secrets), names(systemVariables(d, ""))...)
	plan, dockerfile, err := a.Planner.Plan(ctx, checkout, p, mounted)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	digest, err := plan.Digest()
	if err != nil {
		return temporal.PlanResult{}, err
	}
	if err := a.Store.SetPlan(ctx, d.ID, attemptOf(ctx).RunID, plan, digest, dockerfile); err != nil {
		return temporal.PlanResult{}, err
	}
	return temporal.PlanResult{PlanDigest: digest, Builder: string(plan.Builder)}, a.show(ctx, plan, digest, dockerfile)
}

// show logs the whole plan and the Dockerfile.
func (a *Plan) show(ctx context.Context, plan *deployment.Plan, digest, dockerfile string) error {
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	log := logOf(ctx, a.Logs)
	log.say("plan %s: builder %s, port %d", digest, plan.Builder, plan.Port)
	for line := range strings.Lines(string(text)) {
		log.line(deployment.StreamStdout, strings.TrimRight(line, "\n"))
	}
	for _, w := range plan.Warnings {
		log.say("%s %s: %s", w.Severity, w.Code, w.Message)
	}
	log.say("Dockerfile:")
	for line := range strings.Lines(dockerfile) {
		log.line(deployment.StreamStdout, strings.TrimRight(line, "\n"))
	}
	return nil
}

// buildSecrets returns the project's build env vars. They are mounted as secrets, so that they reach no layer.
func buildSecrets(ctx context.Context, store Store, d deployment.Deployment) (map[string]string, error) {
	vars, err := store.EnvVars(ctx, d.ProjectID)
	if err != nil {
		return nil, err
	}
	secrets := map[string]string{}
	for _, v := range vars {
		if v.Target.At(deployment.TargetBuild) {
			secrets[v.Name] = v.Value
		}
	}
	return secrets, nil
}

// environmentVariables are the same for every deploy of an environment. They count in a build's cache key like the
// project's own: a bundle that holds a branch's URL must not go to production from cache. The commit and the
// deployment's id do not, or no step would ever come from cache.
var environmentVariables = []string{"SLIPWAY_BRANCH", "SLIPWAY_ENVIRONMENT", "SLIPWAY_PUBLIC_URL"}

// systemVariables are what slipway tells builds and apps about themselves.
func systemVariables(d deployment.Deployment, publicURL string) map[string]string {
	return map[string]string{
		"SLIPWAY_DEPLOYMENT_ID": d.ID,
		"SLIPWAY_COMMIT":        d.Commit,
		"SLIPWAY_BRANCH":        d.Branch,
		"SLIPWAY_ENVIRONMENT":   d.Environment,
		"SLIPWAY_PUBLIC_URL":    publicURL,
	}
}

func names(m map[string]string) []string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
