package api

import (
	"net/url"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// URLs says how the addresses in answers are made.
type URLs struct {
	Gateway    deployment.Gateway // as people reach it
	Domain     string             // below which previews have their host names
	TemporalUI string             // base URL of the Temporal Web UI without a slash at the end; empty when there is none
	Namespace  string             // of the deploy workflows; empty means "default"
}

// workflow returns where the Web UI shows a workflow, empty when there is no UI.
func (u URLs) workflow(id string) string {
	if u.TemporalUI == "" {
		return ""
	}
	namespace := u.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return u.TemporalUI + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + url.PathEscape(id)
}

func workflowID(d deployment.Deployment) string {
	if d.WorkflowID != "" {
		return d.WorkflowID
	}
	return temporal.DeployWorkflowID(d.ID)
}
