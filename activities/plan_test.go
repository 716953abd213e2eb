package activities_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// plans takes a deployment through the step plan and returns how it ended.
func (b *bench) plans(d deployment.Deployment) (planned temporal.PlanResult, failure *deployment.Failure) {
	b.t.Helper()
	step, at := temporal.StepInput{DeploymentID: d.ID}, temporal.CommitInput{DeploymentID: d.ID, Commit: b.commit}
	err := b.run(d, func(ctx workflow.Context) (err error) {
		if _, err = call[temporal.ResolveResult](ctx, b, b.source.ResolveRef, step); err != nil {
			return err
		}
		if _, err = call[none](ctx, b, b.source.FetchSource, at); err != nil {
			return err
		}
		planned, err = call[temporal.PlanResult](ctx, b, b.plan.MakePlan, at)
		return err
	})
	steps := b.steps(d, deployment.StepPlan)
	failure = steps[len(steps)-1].Failure
	require.Equal(b.t, err != nil, failure != nil)
	return planned, failure
}

func (b *bench) strict(codes ...string) {
	b.t.Helper()
	p, err := b.store.Project(b.t.Context(), b.project.ID)
	require.NoError(b.t, err)
	p.Build.Strict = codes
	_, err = b.store.UpdateProject(b.t.Context(), p)
	require.NoError(b.t, err)
}

// What strict refuses is stored and logged, fails once and for all, and passes when the setting does.
func TestMakePlan_Strict(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.planner.warnings = []deployment.Warning{
		deployment.NewWarning("version.eol", ".nvmrc", 1, "Node 16 ended"), deployment.NewWarning("start.signals", "", 0, "deaf"),
		deployment.NewWarning("node.version_defaulted", "package.json", 1, "none").Fixed("write 22"),
	}
	b.strict(deployment.StrictAll)
	d := b.deploy()
	for range 2 { // the second time the plan stands
		_, f := b.plans(d)
		require.Equal(t, deployment.ClassUser, f.Class)
		require.Equal(t, "plan.strict", f.Code)
		require.Equal(t, "the project's setting strict lets no plan pass that has the warnings node.version_defaulted, version.eol", f.Message)
		require.Equal(t, []string{
			"warning version.eol: .nvmrc:1: Node 16 ended", "  fix: ask for a version that is maintained",
			"warning node.version_defaulted: package.json:1: none", "  fix: write 22",
		}, f.Lines)
		require.Contains(t, f.Fix, "strict")
	}
	found := b.get(d)
	require.NotNil(t, found.Plan)
	require.Len(t, found.Warnings, 3)
	require.Contains(t, strings.Join(b.log(d), "\n"), "warning node.version_defaulted: package.json:1: none\n  fix: write 22")

	b.strict("start.signals")
	_, f := b.plans(d)
	require.Equal(t, "the project's setting strict lets no plan pass that has the warnings start.signals", f.Message)
	b.strict("pm.version_guess")
	planned, f := b.plans(d)
	require.Nil(t, f)
	require.False(t, planned.Reused, "strict is part of what a plan is made from")
}
