package roles

import (
	"time"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/config"
)

// unusedFor is how long a deployment that did not become ready may be retried without building its image anew.
const unusedFor = time.Hour

// keep says what the reconciler keeps.
func keep(r config.Retention) activities.Keep {
	return activities.Keep{Images: r.Images, Unused: unusedFor, Logs: r.Logs, Deployments: r.Deployments}
}
