package activities

import (
	"context"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// judgeDisk warns that the engine cannot bound what the app writes, and fails when the project does not let that pass.
func (a *Preview) judgeDisk(ctx context.Context, p deployment.Project, spec RunSpec, preview deployment.Preview) error {
	if !preview.DiskUnbounded {
		return nil
	}
	w := deployment.NewWarning("release.disk_unbounded", "", 0, "the app may write more than %d MB: the storage of host %s cannot bound it", spec.Resources.DiskMB, a.HostID)
	if len(p.Build.Refused([]deployment.Warning{w})) > 0 {
		return deployment.UserFailure("release.strict", w.Fix, "the project's setting strict lets no deployment pass that has the warning %s: %s", w.Code, w.Message)
	}
	return a.warn(ctx, spec.DeploymentID, w)
}
