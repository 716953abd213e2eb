package deployment

import (
	"time"
)

// Project is a repository plus the settings that say how it is built and run.
type Project struct {
	ID                    string
	Name                  string
	RepoURL               string
	RootDir               string // slash path inside the repository, "." for the root
	Builder               Builder
	InstallCommand        string
	BuildCommand          string
	StartCommand          string
	ReleaseCommand        string // run once in the new image before the app is started; empty: the Procfile's, or none
	Build                 BuildSettings
	Port                  int // 0: the plan decides
	HealthCheck           HealthCheck
	ProductionBranch      string // empty until the first deploy asks the remote for its HEAD
	BuildTimeoutSeconds   int
	ReleaseTimeoutSeconds int
	Resources             Resources
	PreviewResources      Resources          // for environments other than production, over Resources
	GitCredential         *CredentialSummary // nil for none
	CreatedAt             time.Time
	UpdatedAt             time.Time
}

// HealthCheck says when a preview counts as ready.
type HealthCheck struct {
	Path           string `json:"path"`
	Status         int    `json:"status"` // 0: any status below 500
	TimeoutSeconds int    `json:"timeout_seconds"`
}

// Defaults of a project's settings.
const (
	DefaultBuildTimeoutSeconds   = 1800
	DefaultReleaseTimeoutSeconds = 600
	DefaultHealthPath            = "/"
	DefaultHealthTimeoutSeconds  = 60
	DefaultPort                  = 3000
)

// WithDefaults returns p with every setting that was left empty filled in.
func (p Project) WithDefaults() Project {
	if p.RootDir == "" {
		p.RootDir = "."
	}
	if p.Builder == "" {
		p.Builder = BuilderAuto
	}
	p.Build = p.Build.WithDefaults()
	if p.BuildTimeoutSeconds == 0 {
		p.BuildTimeoutSeconds = DefaultBuildTimeoutSeconds
	}
	if p.ReleaseTimeoutSeconds == 0 {
		p.ReleaseTimeoutSeconds = DefaultReleaseTimeoutSeconds
	}
	if p.HealthCheck.Path == "" {
		p.HealthCheck.Path = DefaultHealthPath
	}
	if p.HealthCheck.TimeoutSeconds == 0 {
		p.HealthCheck.TimeoutSeconds = DefaultHealthTimeoutSeconds
	}
	p.Resources = p.Resources.WithDefaults()
	return p
}

// EnvTarget says where an env var is seen.
type EnvTarget string

// The targets of an env var.
const (
	TargetBuild   EnvTarget = "build"
	TargetRuntime EnvTarget = "runtime"
	TargetBoth    EnvTarget = "both"
)

// At reports whether a var with target t is seen at the given target (build or runtime).
func (t EnvTarget) At(target EnvTarget) bool { return t == TargetBoth || t == target }

// EnvVar is a variable of a project's builds, previews or both. One that was set for an environment goes there before the
// project's of the same name, its target included. Values are secrets: they are stored encrypted and never leave through
// the API.
type EnvVar struct {
	Name          string
	Value         string
	Target        EnvTarget
	EnvironmentID string // of the environment that it was set for; empty for one of the whole project
	// Version changes whenever the variable is written, and tells nothing of its value. Empty unless Value is there.
	Version string
}
