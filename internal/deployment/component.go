package deployment

// Component is something that a deploy needs and that may be away for a while.
type Component string

// The components, by the names that /readyz has for them.
const (
	ComponentPostgres Component = "postgres"
	ComponentTemporal Component = "temporal"
	ComponentGit      Component = "git" // the server of the repository
	ComponentBuildKit Component = "buildkit"
	ComponentRegistry Component = "registry"
	ComponentDocker   Component = "docker" // the engine of a preview host
	ComponentWorker   Component = "worker"
	ComponentDisk     Component = "disk" // room on a host
)

// words names the component as people are told what a deploy waits for.
func (c Component) words() string {
	switch c {
	case ComponentPostgres:
		return "Postgres"
	case ComponentTemporal:
		return "Temporal"
	case ComponentGit:
		return "the git server"
	case ComponentBuildKit:
		return "BuildKit"
	case ComponentRegistry:
		return "the registry"
	case ComponentDocker:
		return "the Docker engine"
	case ComponentWorker:
		return "a worker"
	case ComponentDisk:
		return "disk space on the host"
	default:
		return "the next attempt"
	}
}

// AwayFailure returns the transient failure of whatever needed a component that does not answer.
func AwayFailure(c Component, code, fix, format string, args ...any) *Failure {
	f := newFailure(ClassTransient, code, fix, format, args...)
	f.Component = c
	return f
}

// DiskFailure returns the platform failure of whatever found no room on a host.
func DiskFailure(code, fix, format string, args ...any) *Failure {
	f := newFailure(ClassPlatform, code, fix, format, args...)
	f.Component = ComponentDisk
	return f
}

// WaitsFor says in words what the next attempt after the failure waits for.
func (f *Failure) WaitsFor() string {
	if f == nil {
		return Component("").words()
	}
	return f.Component.words()
}
