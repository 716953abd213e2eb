package deployment

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The phases of a build's figures that every build may have. A rendered Dockerfile has the phases of its plan between base and
// export: setup, install, build, start and whatever else nixpacks names.
const (
	FigureContext = "context" // the repository's files are sent to the builder
	FigureBase    = "base"    // base images, and what a Dockerfile does before its first phase
	FigureBuild   = "build"   // the instructions of a Dockerfile that has no phases
	FigureExport  = "export"  // layers are compressed
	FigurePush    = "push"
)

// BuildFigures say what a solve did, and what came of it.
type BuildFigures struct {
	Steps    int             `json:"steps"`   // of the Dockerfile, but for its base images
	Cached   int             `json:"cached"`  // steps whose result was there already
	Seconds  float64         `json:"seconds"` // of the whole solve
	Phases   []PhaseFigures  `json:"phases"`  // in the order in which they began
	Vertices []VertexFigures `json:"vertices"`
	Image    *ImageFigures   `json:"image,omitempty"` // nil when it is not known, or none was made
}

// PhaseFigures say how long a phase took: the time in which at least one vertex of it ran.
type PhaseFigures struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// VertexFigures say how long a node of the build graph took, and the bytes that came to the builder for it, where BuildKit tells
// them: of contexts and base images.
type VertexFigures struct {
	Name    string  `json:"name"`
	Cached  bool    `json:"cached"`
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes,omitempty"`
}

// ImageFigures say how large an image is.
type ImageFigures struct {
	Layers  int           `json:"layers"`
	Bytes   int64         `json:"bytes"`             // of its layers, as they are stored
	Changed *ImageChanges `json:"changed,omitempty"` // nil when there is no image to compare with
}

// ImageChanges are the layers of an image that an earlier one does not have. A push sends those at most: a registry that has a
// layer is not sent it again.
type ImageChanges struct {
	Since  int   `json:"since"` // the number of the earlier deployment
	Layers int   `json:"layers"`
	Bytes  int64 `json:"bytes"`
}

// Layer is a part of an image as a registry stores it.
type Layer struct {
	Digest string
	Bytes  int64
}

// FiguresOf sums layers up.
func FiguresOf(layers []Layer) *ImageFigures {
	f := &ImageFigures{Layers: len(layers)}
	for _, l := range layers {
		f.Bytes += l.Bytes
	}
	return f
}

// ChangedSince returns which of layers are not among the earlier ones, those of deployment number since.
func ChangedSince(since int, earlier, layers []Layer) *ImageChanges {
	had := map[string]bool{}
	for _, l := range earlier {
		had[l.Digest] = true
	}
	changed := &ImageChanges{Since: since}
	for _, l := range layers {
		if !had[l.Digest] {
			changed.Layers++
			changed.Bytes += l.Bytes
		}
	}
	return changed
}

// Summary returns the figures in a few lines of words.
func (f BuildFigures) Summary() []string {
	lines := []string{fmt.Sprintf("built in %s, %d of %d steps from cache", InSeconds(f.Seconds), f.Cached, f.Steps)}
	phases := make([]string, len(f.Phases))
	for i, p := range f.Phases {
		phases[i] = p.Name + " " + InSeconds(p.Seconds)
	}
	if len(phases) > 0 {
		lines = append(lines, strings.Join(phases, ", "))
	}
	if f.Image == nil {
		return lines
	}
	image := fmt.Sprintf("image of %s in %d layers", InBytes(f.Image.Bytes), f.Image.Layers)
	if c := f.Image.Changed; c != nil && c.Layers == 0 {
		image += fmt.Sprintf(", all of them in the image of #%d", c.Since)
	} else if c != nil {
		image += fmt.Sprintf(", %d of them (%s) not in the image of #%d", c.Layers, InBytes(c.Bytes), c.Since)
	}
	return append(lines, image)
}

// Seconds returns a duration in seconds, to the millisecond.
func Seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// InSeconds writes seconds as people do.
func InSeconds(s float64) string {
	if s < 60 {
		return fmt.Sprintf("%.1f s", s)
	}
	whole := int(math.Round(s))
	return fmt.Sprintf("%d min %d s", whole/60, whole%60)
}

// InBytes writes a size as people do, in decimal units.
func InBytes(n int64) string {
	size, unit := float64(n), "B"
	for _, larger := range []string{"kB", "MB", "GB"} {
		if size < 1000 {
			break
		}
		size, unit = size/1000, larger
	}
	if unit == "B" || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, unit)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}
