package buildkit

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// bill collects what a solve's figures are made of.
type bill struct {
	sections map[string]string // phases of a rendered Dockerfile by place: sectionsOf
	spans    map[string][]span // when the vertices of a phase ran
	vertices []*vertex         // that have ended
}

// span is a time in which something ran.
type span struct{ from, to time.Time }

// maxVertices bounds the vertices of a build's figures: they are stored, and shown with each answer about a deployment.
const maxVertices = 200

func newBill(sections map[string]string) bill {
	return bill{sections: sections, spans: map[string][]span{}}
}

// ended takes account of a vertex that has ended.
func (b *bill) ended(v *vertex, update *client.Vertex) {
	v.cached, v.took = update.Cached, elapsed(update)
	b.vertices = append(b.vertices, v)
	if update.Started != nil && !update.Cached {
		b.ran(b.phaseOf(v.name), *update.Started, *update.Completed)
	}
}

// status takes account of a part of a vertex: the push is one, and so is all that comes to the daemon. A vertex may have ended
// before its parts do.
func (b *bill) status(v *vertex, s *client.VertexStatus) {
	switch {
	case strings.HasPrefix(s.ID, "pushing ") && s.Started != nil && s.Completed != nil:
		b.ran(deployment.FigurePush, *s.Started, *s.Completed)
	case strings.HasPrefix(s.ID, "sha256:"), strings.HasPrefix(s.ID, "transferring "):
		v.bytes[s.ID] = max(v.bytes[s.ID], s.Current)
	}
}

func (b *bill) ran(phase string, from, to time.Time) {
	b.spans[phase] = append(b.spans[phase], span{from, to})
}

// phaseOf returns the phase that a vertex belongs to, by its name.
func (b *bill) phaseOf(name string) string {
	place, _, _ := strings.Cut(name, "] ")
	switch {
	case strings.HasPrefix(name, "[internal] load metadata"), isBase(name), strings.HasPrefix(name, "[auth]"):
		return deployment.FigureBase
	case strings.HasPrefix(name, "[internal]"):
		return deployment.FigureContext
	case strings.HasPrefix(name, "exporting "), strings.HasPrefix(name, "sending "):
		return deployment.FigureExport
	}
	if phase, known := b.sections[placeOf(place)]; known {
		return phase
	}
	return deployment.FigureBuild
}

// figures returns what has been collected.
func (b *bill) figures(took time.Duration) deployment.BuildFigures {
	f := deployment.BuildFigures{Seconds: deployment.Seconds(took), Phases: b.phases(), Vertices: []deployment.VertexFigures{}}
	for _, v := range b.vertices[:min(len(b.vertices), maxVertices)] {
		shown := deployment.VertexFigures{Name: v.name, Cached: v.cached, Seconds: deployment.Seconds(v.took)}
		for _, n := range v.bytes {
			shown.Bytes += n
		}
		f.Vertices = append(f.Vertices, shown)
	}
	return f
}

// phases returns how long each phase took, in the order in which they began. What ran at the same time counts once.
func (b *bill) phases() []deployment.PhaseFigures {
	for _, spans := range b.spans {
		slices.SortFunc(spans, func(x, y span) int { return x.from.Compare(y.from) })
	}
	names := slices.SortedFunc(maps.Keys(b.spans), func(x, y string) int {
		if c := b.spans[x][0].from.Compare(b.spans[y][0].from); c != 0 {
			return c
		}
		return strings.Compare(x, y)
	})
	list := make([]deployment.PhaseFigures, len(names))
	for i, name := range names {
		list[i] = deployment.PhaseFigures{Name: name, Seconds: deployment.Seconds(together(b.spans[name]))}
	}
	return list
}

// together returns how long at least one of spans lasted; they are sorted by their beginning.
func together(spans []span) (total time.Duration) {
	var until time.Time
	for _, s := range spans {
		if s.from.Before(until) {
			s.from = until
		}
		if s.to.After(s.from) {
			total += s.to.Sub(s.from)
			until = s.to
		}
	}
	return total
}
