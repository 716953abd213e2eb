package api

import (
	"encoding/json"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// optional returns nil for a zero value: in answers, what has no value is null.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// list makes an empty list of none: in answers, a list is never null.
func list[In, Out any](items []In, convert func(In) Out) []Out {
	out := make([]Out, 0, len(items))
	for _, item := range items {
		out = append(out, convert(item))
	}
	return out
}

func same[T any](v T) T { return v }

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func wireGitCredential(p deployment.Project) *oapi.GitCredential {
	c := p.GitCredential
	if c == nil {
		return nil
	}
	return &oapi.GitCredential{
		Kind: oapi.GitCredentialKind(c.Kind), Host: c.Host(), Active: c.Opens(p.RepoURL), Username: optional(c.Username),
		Fingerprint: optional(c.Fingerprint), UpdatedAt: c.UpdatedAt.UTC(),
	}
}

func (s *server) wireDeployment(d deployment.Deployment) oapi.Deployment {
	workflow := workflowID(d)
	return oapi.Deployment{
		ID: d.ID, Number: d.Number, Project: d.ProjectName, ProjectID: d.ProjectID,
		Environment: oapi.EnvironmentRef{ID: d.EnvironmentID, Name: d.Environment},
		Status:      oapi.DeploymentStatus(d.Status), Step: wireCurrentStep(d.Step),
		Commit: optional(d.Commit), Ref: optional(refName(d)), ImageDigest: optional(d.ImageDigest),
		WorkflowID: workflow, RunID: optional(d.RunID), TemporalURL: optional(s.temporalURL(d, workflow)),
		PreviewURL: s.URLs.Gateway.Preview(d), EnvironmentURL: s.URLs.Gateway.Environment(d),
		Failure: wireFailure(d.Failure), Warnings: list(d.Warnings, wireWarning),
		CreatedAt: d.CreatedAt.UTC(), StartedAt: utc(d.StartedAt), ReadyAt: utc(d.ReadyAt), FinishedAt: utc(d.FinishedAt),
		SupersededBy: optional(d.SupersededBy), ReusedFrom: optional(d.ReusedFrom), LogRemovedAt: utc(d.LogRemovedAt),
		Build: wireBuildFigures(d.Figures),
	}
}

// temporalURL is empty where it would lead to nothing.
func (s *server) temporalURL(d deployment.Deployment, workflow string) string {
	if d.Unknown() {
		return ""
	}
	return s.URLs.workflow(workflow)
}

// refName returns what was asked for; for a deploy of the default branch, what that turned out to be.
func refName(d deployment.Deployment) string {
	if d.Ref.Kind == deployment.RefDefault {
		return d.Branch
	}
	return d.Ref.Name
}

func wireCurrentStep(s *deployment.StepNow) *oapi.CurrentStep {
	if s == nil {
		return nil
	}
	step := &oapi.CurrentStep{
		Name: oapi.StepName(s.Name), Phase: optional(string(s.Phase)), Attempt: s.Attempt, Percent: optional(s.Percent),
		Done: s.Done, Total: s.Total, Bytes: s.Bytes, WaitingFor: optional(s.WaitingFor),
		NextAttemptAt: utc(s.NextAttemptAt), QueuePosition: optional(s.QueuePosition),
	}
	if s.Percent == 0 && s.Total > 0 {
		step.Percent = new(int) // it can be told: nothing of the total is done
	}
	return step
}

func wireStep(s deployment.Step) oapi.Step {
	return oapi.Step{
		Name: oapi.StepName(s.Name), Phase: optional(string(s.Phase)), Attempt: s.Attempt, Host: optional(s.Host),
		Status: oapi.StepStatus(s.Status), StartedAt: s.StartedAt.UTC(), FinishedAt: utc(s.FinishedAt),
		Failure: wireFailure(s.Failure),
	}
}

func wireUndone(u deployment.Undone) oapi.Undone {
	return oapi.Undone{Kind: string(u.Kind), Name: u.Name, Host: optional(u.Host), TookMs: u.TookMS, GoneAt: u.GoneAt.UTC()}
}

func wireFailure(f *deployment.Failure) *oapi.Failure {
	if f == nil {
		return nil
	}
	return &oapi.Failure{
		Class: oapi.FailureClass(f.Class), Code: f.Code, Step: optional(string(f.Step)), Component: optional(string(f.Component)), Message: f.Message,
		Fix: optional(f.Fix), ExitCode: f.ExitCode, Lines: list(f.Lines, same),
	}
}

func wireBuildFigures(f *deployment.BuildFigures) *oapi.BuildFigures {
	if f == nil {
		return nil
	}
	return &oapi.BuildFigures{
		Steps: f.Steps, Cached: f.Cached, Seconds: f.Seconds, Image: wireImageFigures(f.Image),
		Phases: list(f.Phases, func(p deployment.PhaseFigures) oapi.BuildPhase {
			return oapi.BuildPhase{Name: p.Name, Seconds: p.Seconds}
		}),
		Vertices: list(f.Vertices, func(v deployment.VertexFigures) oapi.BuildVertex {
			return oapi.BuildVertex{Name: v.Name, Cached: v.Cached, Seconds: v.Seconds, Bytes: optional(v.Bytes)}
		}),
	}
}

func wireImageFigures(f *deployment.ImageFigures) *oapi.ImageFigures {
	if f == nil {
		return nil
	}
	image := &oapi.ImageFigures{Layers: f.Layers, Bytes: f.Bytes}
	if c := f.Changed; c != nil {
		image.Changed = &oapi.ImageChanges{Since: c.Since, Layers: c.Layers, Bytes: c.Bytes}
	}
	return image
}

func wireWarning(w deployment.Warning) oapi.Warning {
	return oapi.Warning{
		Code: w.Code, Severity: string(w.Severity), Message: w.Message, File: optional(w.File), Line: optional(w.Line),
		Fix: optional(w.Fix),
	}
}

func wirePlan(p *deployment.Plan) (oapi.Plan, error) {
	digest, err := p.Digest()
	if err != nil {
		return oapi.Plan{}, err
	}
	plan := oapi.Plan{
		Digest: digest, Builder: string(p.Builder), BuilderVersion: optional(p.BuilderVersion),
		Providers: list(p.Providers, same), Versions: table(p.Versions), Base: optional(p.Base), RootDir: p.RootDir, InstallCommand: optional(p.InstallCommand),
		BuildCommand: optional(p.BuildCommand), StartCommand: optional(p.StartCommand), Port: p.Port,
		ReleaseCommand: optional(p.ReleaseCommand), ReleaseFrom: optional(string(p.ReleaseFrom)),
		NonRoot: p.NonRoot, Variables: table(p.Variables), Secrets: list(p.SecretNames, same),
		Dockerfile: optional(p.DockerfilePath), Target: optional(p.Target), BuildArgs: table(p.BuildArgs),
		Frontend: optional(p.Frontend),
		Ignore:   list(p.Ignore, same), Warnings: list(p.Warnings, wireWarning), Assets: table(p.Assets),
		InstallFiles: list(p.InstallFiles, same), InstallReadsAll: optional(p.InstallReadsAll),
	}
	if c := p.Context; c != nil {
		plan.Context = &oapi.BuildContext{Dir: c.Dir, Reason: c.Reason, Runs: string(c.Runs)}
	}
	if p.Static != nil {
		static := wireStatic(*p.Static)
		plan.Static = &static
	}
	if len(p.Native) > 0 {
		err = json.Unmarshal(p.Native, &plan.Native)
	}
	return plan, err
}

func table(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func wireLogLine(l deployment.LogLine) oapi.LogLine {
	return oapi.LogLine{
		Seq: l.Seq, Time: l.Time.UTC(), Step: string(l.Step), Attempt: l.Attempt, Stream: l.Stream, Text: l.Text, Cut: wireLogCut(l.Cut),
	}
}

func wireLogCut(c *deployment.LogCut) *oapi.LogCut {
	if c == nil {
		return nil
	}
	return &oapi.LogCut{From: c.From, To: c.To, Lines: c.Lines, Bytes: c.Bytes}
}

func wireEnvVar(v deployment.EnvVar) oapi.EnvVar {
	source := oapi.EnvSourceProject
	if v.EnvironmentID != "" {
		source = oapi.EnvSourceEnvironment
	}
	return oapi.EnvVar{Name: v.Name, Target: oapi.EnvTarget(v.Target), Source: source}
}

func (s *server) wireEnvironment(e deployment.Environment) oapi.Environment {
	wire := oapi.Environment{
		ID: e.ID, Name: e.Name, Kind: oapi.EnvironmentKind(e.Kind), Project: e.ProjectName, ProjectID: e.ProjectID,
		URL: s.URLs.Gateway.URL(e.Host), OrderPolicy: oapi.OrderPolicy(e.OrderPolicy), CreatedAt: e.CreatedAt.UTC(),
	}
	if e.LiveDeploymentID != "" {
		wire.LiveDeployment = &oapi.LiveDeployment{ID: e.LiveDeploymentID, Number: e.LiveNumber}
	}
	return wire
}

func (s *server) wireDeletion(d deployment.Deletion) oapi.Deletion {
	kind := oapi.DeletionKindProject
	if d.EnvironmentID != "" {
		kind = oapi.DeletionKindEnvironment
	}
	return oapi.Deletion{
		ID: d.ID(), Kind: kind, Name: d.Name, Project: d.ProjectName, RequestedAt: d.RequestedAt.UTC(),
		TemporalURL: optional(s.URLs.workflow(temporal.TeardownWorkflowID(d.ID()))), Left: list(d.Left, wireLeftOver),
	}
}

func wireLeftOver(l deployment.LeftOver) oapi.LeftOver {
	return oapi.LeftOver{
		Kind: l.Kind, Name: l.Name, Host: optional(l.Host), HostSeenAt: utc(l.HostSeenAt),
		DeploymentID: l.DeploymentID, DeploymentNumber: l.Number,
	}
}
