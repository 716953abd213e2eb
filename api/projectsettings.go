package api

import (
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

func wireProject(p deployment.Project) oapi.Project {
	return oapi.Project{
		ID: p.ID, Name: p.Name, RepoURL: p.RepoURL, RootDir: p.RootDir, Builder: oapi.Builder(p.Builder),
		InstallCommand: p.InstallCommand, BuildCommand: p.BuildCommand, StartCommand: p.StartCommand, ReleaseCommand: p.ReleaseCommand, Port: p.Port,
		Dockerfile: oapi.DockerfileSettings{
			Path: p.Build.Dockerfile.Path, Target: p.Build.Dockerfile.Target, BuildArgs: table(p.Build.Dockerfile.BuildArgs),
		},
		Static: wireStatic(p.Build.Static), Strict: list(p.Build.Strict, same), Repairs: string(p.Build.Repairs),
		BuildNetwork: string(p.Build.Network), NonRoot: p.Build.NonRoot, Provenance: string(p.Build.Provenance), Sbom: p.Build.SBOM, BuildSSH: p.Build.SSH,
		Reproducible: p.Build.Reproducible,
		HealthCheck: oapi.HealthCheck{
			Path: p.HealthCheck.Path, Status: p.HealthCheck.Status, TimeoutSeconds: p.HealthCheck.TimeoutSeconds,
		},
		ProductionBranch: p.ProductionBranch, BuildTimeoutSeconds: p.BuildTimeoutSeconds, ReleaseTimeoutSeconds: p.ReleaseTimeoutSeconds,
		Resources: wireResources(p.Resources), PreviewResources: wireResources(p.PreviewResources),
		GitCredential: wireGitCredential(p), CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func wireResources(r deployment.Resources) oapi.Resources {
	return oapi.Resources{
		Cpus: r.CPUs, MemoryMB: r.MemoryMB, Pids: r.PIDs, DiskMB: r.DiskMB, LogMB: r.LogMB, OpenFiles: r.OpenFiles, ReadOnlyRoot: r.ReadOnlyRoot,
	}
}

func wireStatic(s deployment.StaticSettings) oapi.StaticSettings {
	return oapi.StaticSettings{Folder: s.Folder, Spa: s.SPA, Headers: list(s.Headers, wireHeader)}
}

func wireHeader(h deployment.StaticHeader) oapi.StaticHeader {
	return oapi.StaticHeader{Path: h.Path, Name: h.Name, Value: h.Value}
}

// settingsOf is what a PATCH changes, as it stands.
func settingsOf(p deployment.Project) oapi.ProjectUpdate {
	builder := string(p.Builder)
	return oapi.ProjectUpdate{
		Name: &p.Name, RepoURL: &p.RepoURL, RootDir: &p.RootDir, Builder: &builder, InstallCommand: &p.InstallCommand,
		BuildCommand: &p.BuildCommand, StartCommand: &p.StartCommand, ReleaseCommand: &p.ReleaseCommand, Port: &p.Port,
		HealthCheck: &oapi.HealthCheckInput{
			Path: &p.HealthCheck.Path, Status: &p.HealthCheck.Status, TimeoutSeconds: &p.HealthCheck.TimeoutSeconds,
		},
		ProductionBranch: &p.ProductionBranch, BuildTimeoutSeconds: &p.BuildTimeoutSeconds, ReleaseTimeoutSeconds: &p.ReleaseTimeoutSeconds,
		Resources: resourcesInput(p.Resources), PreviewResources: resourcesInput(p.PreviewResources),
		Dockerfile: dockerfileInput(p.Build.Dockerfile), Static: staticInput(p.Build.Static),
		Strict: &p.Build.Strict, Repairs: text(p.Build.Repairs), BuildNetwork: text(p.Build.Network), NonRoot: &p.Build.NonRoot,
		Provenance: text(p.Build.Provenance), Sbom: &p.Build.SBOM, BuildSSH: &p.Build.SSH, Reproducible: &p.Build.Reproducible,
	}
}

func dockerfileInput(d deployment.DockerfileSettings) *oapi.DockerfileInput {
	args := make(map[string]*string, len(d.BuildArgs))
	for name, value := range d.BuildArgs {
		args[name] = &value
	}
	return &oapi.DockerfileInput{Path: &d.Path, Target: &d.Target, BuildArgs: &args}
}

func staticInput(s deployment.StaticSettings) *oapi.StaticInput {
	headers := list(s.Headers, wireHeader)
	return &oapi.StaticInput{Folder: &s.Folder, Spa: &s.SPA, Headers: &headers}
}

func resourcesInput(r deployment.Resources) *oapi.ResourcesInput {
	return &oapi.ResourcesInput{
		Cpus: &r.CPUs, MemoryMB: &r.MemoryMB, Pids: &r.PIDs, DiskMB: &r.DiskMB, LogMB: &r.LogMB, OpenFiles: &r.OpenFiles, ReadOnlyRoot: &r.ReadOnlyRoot,
	}
}

func text[T ~string](value T) *string {
	s := string(value)
	return &s
}

// withSettings returns p with all of its settings replaced; nil stands for the default.
func withSettings(p deployment.Project, u oapi.ProjectUpdate) deployment.Project {
	health := value(u.HealthCheck)
	p.Name, p.RepoURL, p.RootDir = value(u.Name), value(u.RepoURL), value(u.RootDir)
	p.Builder = deployment.Builder(value(u.Builder))
	p.InstallCommand, p.BuildCommand, p.StartCommand = value(u.InstallCommand), value(u.BuildCommand), value(u.StartCommand)
	p.Port, p.ProductionBranch, p.BuildTimeoutSeconds = value(u.Port), value(u.ProductionBranch), value(u.BuildTimeoutSeconds)
	p.ReleaseCommand, p.ReleaseTimeoutSeconds = value(u.ReleaseCommand), value(u.ReleaseTimeoutSeconds)
	p.HealthCheck = deployment.HealthCheck{
		Path: value(health.Path), Status: value(health.Status), TimeoutSeconds: value(health.TimeoutSeconds),
	}
	p.Resources, p.PreviewResources = resourcesOf(value(u.Resources)), resourcesOf(value(u.PreviewResources))
	p.Build = deployment.BuildSettings{
		Dockerfile: dockerfileOf(value(u.Dockerfile)), Static: staticOf(value(u.Static)), Strict: value(u.Strict),
		Repairs: deployment.Repairs(value(u.Repairs)), Network: deployment.BuildNetwork(value(u.BuildNetwork)),
		NonRoot: value(u.NonRoot), Provenance: deployment.Provenance(value(u.Provenance)), SBOM: value(u.Sbom), SSH: value(u.BuildSSH), Reproducible: value(u.Reproducible),
	}
	return p.WithDefaults()
}

func resourcesOf(r oapi.ResourcesInput) deployment.Resources {
	return deployment.Resources{
		CPUs: value(r.Cpus), MemoryMB: value(r.MemoryMB), PIDs: value(r.Pids), DiskMB: value(r.DiskMB), LogMB: value(r.LogMB),
		OpenFiles: value(r.OpenFiles), ReadOnlyRoot: value(r.ReadOnlyRoot),
	}
}

func dockerfileOf(d oapi.DockerfileInput) deployment.DockerfileSettings {
	var args map[string]string
	for name, arg := range value(d.BuildArgs) {
		if arg == nil {
			continue // taken away
		}
		if args == nil {
			args = map[string]string{}
		}
		args[name] = *arg
	}
	return deployment.DockerfileSettings{Path: value(d.Path), Target: value(d.Target), BuildArgs: args}
}

func staticOf(s oapi.StaticInput) deployment.StaticSettings {
	static := deployment.StaticSettings{Folder: value(s.Folder), SPA: value(s.Spa)}
	for _, h := range value(s.Headers) {
		static.Headers = append(static.Headers, deployment.StaticHeader{Path: h.Path, Name: h.Name, Value: h.Value})
	}
	return static
}
