package deployment

import (
	"io"
	"time"
)

// BuildRequest is one solve: what to build, under which ref, and where to push it.
type BuildRequest struct {
	Ref        string // names the solve; never used twice
	ContextDir string // absolute: the checkout joined with the plan's root dir
	Dockerfile string // or what Frontend builds instead
	Frontend   string // image of the BuildKit frontend of Railpack, which builds its plans; "" for Dockerfiles
	// DockerfilePath is where the repository has it, by path inside ContextDir: ignore patterns may lie beside it, in a file of the
	// same name that ends in ".dockerignore". Empty for one that slipway wrote.
	DockerfilePath string
	Target         string            // the stage to build; "" for the last one
	BuildArgs      map[string]string // not secret: they stand in the image's history
	Network        BuildNetwork      // what a RUN reaches; "" for BuildNetworkSandbox
	Ignore         []string          // patterns kept out of the context, on top of the repository's own .dockerignore
	Image          string            // host/repository:tag to push, or the name that an archive gives the image
	Output         BuildOutput       // what becomes of the image
	Secrets        map[string]string // id → value, for RUN --mount=type=secret; a changed one builds anew
	Variables      map[string]string // mounted likewise, and part of no cache key: what changes with every deploy
	SSHKey         string            // private key in PEM that RUN --mount=type=ssh may use; "" for none
	NoCache        bool              // run every step again
	CacheScope     string            // keeps cache mounts of projects apart: the project's id
	CacheFrom      []string          // host/repository@digest, of steps that the builder may have no result of
	CacheTo        string            // host/repository:tag to keep all steps under; "" for nowhere
	Labels         map[string]string // image labels

	Committed    time.Time  // the image's own time, and that of each of its files that is newer when Reproducible; zero for now
	Reproducible bool       // write layers anew with those times
	Provenance   Provenance // "" for ProvenanceOff
	SBOMScanner  string     // image that lists what the image holds, for an SBOM that is attached; "" for none
}

// BuildOutput says what becomes of an image that is built.
type BuildOutput struct {
	Kind OutputKind
	To   io.WriteCloser // gets an archive; closed once it is whole
}

// OutputKind is what a build ends in.
type OutputKind string

// The kinds of output: a push to a registry, an archive for `docker load`, one in the layout of the Open Containers Initiative, or
// nothing but the builder's cache.
const (
	OutputPush   OutputKind = ""
	OutputDocker OutputKind = "docker"
	OutputOCI    OutputKind = "oci"
	OutputNone   OutputKind = "none"
)

// BuildOutcome is a finished solve.
type BuildOutcome struct {
	Digest string  // sha256:… of the image; "" when none was made
	Layers []Layer // of the image; nil when the builder does not tell them
	BuildFigures
}

// BuiltImage is an image that a deployment has.
type BuiltImage struct {
	Image   string // repository name without tag or digest
	Digest  string
	Input   string        // digest of what it was built from
	Figures *BuildFigures // nil for one that was taken over
}

// BuildSink receives what a solve says, in order, from one goroutine.
type BuildSink interface {
	Line(stream, text string)
	Progress(p Progress)
	Vertex(v BuildVertex)
}

// BuildVertex is a node of the build graph that has ended: a Dockerfile instruction, a load or an export.
type BuildVertex struct {
	Name               string
	Started, Completed time.Time
	Cached, Failed     bool
}

// BuilderStatus is what a worker knows of one of its builders.
type BuilderStatus struct {
	Address string
	Up      bool
	Builds  int // of this worker that run there
}
