package postgres

import (
	"context"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// noExitCode stands for a look that saw no end; the exit codes of processes are not below 0.
const noExitCode = -1

// SaveSamples stores a host's looks at the containers of its previews, each in the place of the one before, as taken now. It
// returns those that are in a crash loop and were not at the look before.
func (s *Store) SaveSamples(ctx context.Context, samples []deployment.Sample) ([]deployment.Sample, error) {
	var p db.SavePreviewSamplesParams
	for _, look := range samples {
		code := int32(noExitCode)
		if look.ExitCode != nil {
			code = int32(*look.ExitCode) //nolint:gosec // the kernel gives eight bits
		}
		p.DeploymentIds, p.CpuCores = append(p.DeploymentIds, look.DeploymentID), append(p.CpuCores, look.CPUCores)
		p.MemoryBytes, p.MemoryLimits = append(p.MemoryBytes, look.MemoryBytes), append(p.MemoryLimits, look.MemoryLimit)
		p.Pids, p.Restarts = append(p.Pids, look.PIDs), append(p.Restarts, int32(look.Restarts)) //nolint:gosec // one each second for decades
		p.StartedAt, p.ExitCodes = append(p.StartedAt, orZero(look.StartedAt)), append(p.ExitCodes, code)
		p.CrashLooping = append(p.CrashLooping, look.CrashLooping)
	}
	rows, err := s.q.SavePreviewSamples(ctx, p)
	began := make([]deployment.Sample, len(rows))
	for i, row := range rows {
		began[i] = deployment.Sample{DeploymentID: row.DeploymentID, Restarts: int(row.Restarts), CrashLooping: true}
		if row.ExitCode != nil {
			began[i].ExitCode = new(int(*row.ExitCode))
		}
	}
	return began, at(err, "save samples of previews")
}

// orZero stands for null in a list of times.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
