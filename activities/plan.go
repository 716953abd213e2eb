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

	Fingerprint string // of Planner and its configuration; empty when it is not known
}

// MakePlan plans the checkout. The plan, its digest and the Dockerfile are stored and logged before anything is built:
// they are what a user opens first when a build fails.
func (a *Plan) MakePlan(ctx context.Context, in temporal.CommitInput) (temporal.PlanResult, error) {
	d, p, err := load(ctx, a.Store, in.DeploymentID)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	vars, err := a.Store.EnvVars(ctx, d.Scope())
	if err != nil {
		return temporal.PlanResult{}, err
	}
	input, mounted, err := planInputOf(d, p, vars)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	if d.Plan != nil && d.PlanInput == input {
		return a.stands(ctx, d, p)
	}
	checkout, err := a.Workspaces.Open(d.ID, in.Commit)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	planned := deployment.Planned{Input: input, Planner: a.Fingerprint}
	if planned.Plan, planned.Dockerfile, err = a.Planner.Plan(ctx, checkout, p, mounted); err != nil {
		return temporal.PlanResult{}, err
	}
	if planned.Digest, err = planned.Plan.Digest(); err != nil {
		return temporal.PlanResult{}, err
	}
	before, err := a.Store.PlanBefore(ctx, d.ID)
	if err != nil {
		return temporal.PlanResult{}, err
	}
	planned.Changes = planned.Plan.ChangesSince(before)
	if err := a.Store.SetPlan(ctx, d.ID, attemptOf(ctx).RunID, planned); err != nil {
		return temporal.PlanResult{}, err
	}
	result := temporal.PlanResult{PlanDigest: planned.Digest, Builder: string(planned.Plan.Builder)}
	if result.NewBase, err = a.newBase(ctx, planned.Plan); err != nil {
		return temporal.PlanResult{}, err
	}
	return result, a.judge(ctx, p, planned, planned.Warnings())
}

// newBase reports whether preview hosts most likely lack what the app runs on.
func (a *Plan) newBase(ctx context.Context, plan *deployment.Plan) (bool, error) {
	if plan.Base == "" || plan.Base == "scratch" || strings.Contains(plan.Base, "$") {
		return false, nil // none, or one that a variable of the Dockerfile names
	}
	runs, err := a.Store.BaseRuns(ctx, plan.Base)
	return !runs, err
}

// stands answers with the stored plan.
func (a *Plan) stands(ctx context.Context, d deployment.Deployment, p deployment.Project) (temporal.PlanResult, error) {
	digest, err := d.Plan.Digest()
	if err != nil {
		return temporal.PlanResult{}, err
	}
	logOf(ctx, a.Logs).say("plan %s was made before", digest)
	result := temporal.PlanResult{PlanDigest: digest, Builder: string(d.Plan.Builder), Reused: true}
	if result.NewBase, err = a.newBase(ctx, d.Plan); err != nil {
		return temporal.PlanResult{}, err
	}
	// Once more, since whoever made it may have died before it was logged.
	return result, a.judge(ctx, p, deployment.Planned{Plan: d.Plan, Digest: digest, Dockerfile: d.Dockerfile}, d.Warnings)
}

// judge shows the plan, which is stored by now, and fails when it has warnings that the project does not let pass.
func (a *Plan) judge(ctx context.Context, p deployment.Project, planned deployment.Planned, warnings []deployment.Warning) error {
	if err := a.show(ctx, planned, warnings); err != nil {
		return err
	}
	refused := p.Build.Refused(warnings)
	if len(refused) == 0 {
		return nil
	}
	var codes, lines []string
	for _, w := range refused {
		codes = append(codes, w.Code)
		lines = append(lines, w.String(), "  fix: "+w.Fix)
	}
	slices.Sort(codes)
	f := deployment.UserFailure("plan.strict",
		"put right what the lines name, or take the codes out of the project's setting strict and retry",
		"the project's setting strict lets no plan pass that has the warnings %s", strings.Join(slices.Compact(codes), ", "))
	f.Lines = lines[:min(len(lines), deployment.MaxFailureLines)]
	return f
}

// show logs the whole plan, its warnings and the Dockerfile.
func (a *Plan) show(ctx context.Context, planned deployment.Planned, warnings []deployment.Warning) error {
	plan := planned.Plan
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	log := logOf(ctx, a.Logs)
	log.say("plan %s: builder %s, port %d", planned.Digest, plan.Builder, plan.Port)
	for line := range strings.Lines(string(text)) {
		log.line(deployment.StreamStdout, strings.TrimRight(line, "\n"))
	}
	if plan.Context != nil {
		log.say("the build gets the folder %s, as %s", plan.Context.Dir, plan.Context.Reason)
	}
	if copies := plan.InstallCopies(); copies != "" {
		log.say("install copies %s", copies)
	}
	for _, w := range warnings {
		log.warn(w)
	}
	if plan.Frontend != "" {
		log.say("built by %s, from the native plan above", plan.Frontend)
		return nil
	}
	log.say("Dockerfile:")
	for line := range strings.Lines(planned.Dockerfile) {
		log.line(deployment.StreamStdout, strings.TrimRight(line, "\n"))
	}
	return nil
}

// secretsOf returns the env vars of the build. They are mounted as secrets, so that they reach no layer.
func secretsOf(vars []deployment.EnvVar) map[string]string {
	secrets := map[string]string{}
	for _, v := range vars {
		if v.Target.At(deployment.TargetBuild) {
			secrets[v.Name] = v.Value
		}
	}
	return secrets
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
