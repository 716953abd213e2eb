package buildkit

import (
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Where the solve of the Dockerfile and the export of its layers end on the way to 100 percent.
const (
	percentSolved   = 85
	percentExported = 95
)

// tracker derives progress from status messages. The percentage never falls, although instructions of a Dockerfile
// become known on the way.
type tracker struct {
	last  deployment.Progress
	bytes map[string]int64 // fetched so far, by layer of a base image
}

func newTracker() tracker {
	return tracker{last: deployment.Progress{Phase: deployment.PhaseSolve}, bytes: map[string]int64{}}
}

// update returns the progress after s, and whether it differs from what was returned before.
func (t *tracker) update(s *client.SolveStatus, vertices map[digest.Digest]*vertex) (deployment.Progress, bool) {
	next := t.last
	next.Total, next.Done = len(vertices), 0
	steps, done := 0, 0
	for _, v := range vertices {
		if v.finished {
			next.Done++
		}
		if isStep(v.name) {
			steps++
			if v.finished {
				done++
			}
		}
	}
	next.Percent = max(next.Percent, done*percentSolved/max(steps, 1))
	for _, status := range s.Statuses {
		t.exported(status, &next)
	}
	changed := next != t.last
	t.last = next
	return next, changed
}

// exported takes account of one status: of a fetched layer, which BuildKit names by its digest, or of the push, of which
// it tells no bytes.
func (t *tracker) exported(status *client.VertexStatus, next *deployment.Progress) {
	switch {
	case strings.HasPrefix(status.ID, "sha256:"):
		next.Bytes += max(0, status.Current-t.bytes[status.ID])
		t.bytes[status.ID] = max(status.Current, t.bytes[status.ID])
	case strings.HasPrefix(status.ID, "pushing manifest") && status.Completed != nil:
		next.Percent = 100
	case strings.HasPrefix(status.ID, "pushing "):
		next.Phase = deployment.PhasePush
		next.Percent = max(next.Percent, percentExported)
	}
}
