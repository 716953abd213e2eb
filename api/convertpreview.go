package api

import (
	"time"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func (s *server) wirePreview(p deployment.PreviewDetail) oapi.Preview {
	wire := oapi.Preview{
		DeploymentID: p.DeploymentID, Number: p.Number, Project: p.ProjectName, ProjectID: p.ProjectID,
		Environment: oapi.PreviewEnvironment{ID: p.EnvironmentID, Name: p.Environment, Kind: oapi.EnvironmentKind(p.Kind), URL: s.URLs.Gateway.URL(p.EnvHost)},
		State:       oapi.PreviewState(p.State), Condition: optional(string(p.Condition())), Live: p.Live(), URL: s.URLs.Gateway.URL(p.PreviewHost),
		Host: p.Host, LastRequestAt: lastRequest(p), IdleSeconds: idleSeconds(p), Usage: wireUsage(p),
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
	if l := p.Lease; l != nil {
		wire.Wanted, wire.Pinned, wire.ExpiresAt, wire.Failure = optional(string(l.Wanted)), l.Pinned, utc(l.ExpiresAt), wireFailure(l.Failure)
		wire.SleepsAt, wire.NextAttemptAt = utc(p.SleepsAt(s.PreviewIdle)), utc(p.NextAttemptAt())
	}
	return wire
}

func wireUsage(p deployment.PreviewDetail) *oapi.PreviewUsage {
	look := p.Sample
	if look == nil {
		return nil
	}
	return &oapi.PreviewUsage{
		SampledAt: look.At.UTC(), Current: p.SampleIsCurrent(), CPUCores: look.CPUCores, MemoryBytes: look.MemoryBytes,
		MemoryLimitBytes: optional(look.MemoryLimit), Pids: look.PIDs, Restarts: look.Restarts, StartedAt: utc(look.StartedAt), LastExitCode: look.ExitCode,
	}
}

// wireRequests counts none for an environment that nobody has asked for yet.
func wireRequests(p deployment.PreviewDetail) *oapi.PreviewRequests {
	if !p.Live() {
		return nil
	}
	var n [5]int64
	if p.Traffic != nil {
		n = p.Traffic.Answered
	}
	return &oapi.PreviewRequests{
		Total: n[0] + n[1] + n[2] + n[3] + n[4], Answered1Xx: n[0], Answered2Xx: n[1], Answered3Xx: n[2], Answered4Xx: n[3], Answered5Xx: n[4],
	}
}

func lastRequest(p deployment.PreviewDetail) *time.Time {
	if p.Traffic == nil {
		return nil
	}
	return utc(&p.Traffic.LastRequestAt)
}

func idleSeconds(p deployment.PreviewDetail) *int64 {
	since := p.IdleSince()
	if since == nil {
		return nil
	}
	return new(max(0, int64(p.Now.Sub(*since).Seconds())))
}
