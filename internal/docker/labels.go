package docker

import (
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// The labels that say what a container or network is and whose it is.
const (
	LabelManaged      = "slipway.managed"
	LabelInstallation = "slipway.installation"
	LabelDeployment   = "slipway.deployment"
	LabelProject      = "slipway.project"
	LabelEnvironment  = "slipway.environment"
	LabelHost         = "slipway.host" // the preview host that made it, since several may share an engine
	LabelRun          = "slipway.run"
	LabelSecrets      = "slipway.secrets" // names of the env vars whose values are never logged, divided by commas
	LabelOnce         = "slipway.once"    // "true" for a container that runs a command to its end, and is never started again
)

// networkLabels are those of a deployment; its network outlives any one run.
func (e *Engine) networkLabels(s deployment.RunSpec) map[string]string {
	return map[string]string{
		LabelManaged:      "true",
		LabelInstallation: e.options.Installation,
		LabelDeployment:   s.DeploymentID,
		LabelProject:      s.ProjectID,
		LabelEnvironment:  s.EnvironmentID,
		LabelHost:         e.options.HostID,
	}
}

func (e *Engine) containerLabels(s deployment.RunSpec) map[string]string {
	labels := e.networkLabels(s)
	labels[LabelRun] = s.RunID
	if len(s.SecretEnv) > 0 {
		labels[LabelSecrets] = strings.Join(s.SecretEnv, ",")
	}
	if len(s.Command) > 0 {
		labels[LabelOnce] = "true"
	}
	return labels
}

// owns reports whether what carries labels belongs to this installation.
func (e *Engine) owns(labels map[string]string) bool {
	return labels[LabelManaged] == "true" && labels[LabelInstallation] == e.options.Installation
}

func hasLabels(labels, want map[string]string) bool {
	for name, value := range want {
		if labels[name] != value {
			return false
		}
	}
	return true
}
