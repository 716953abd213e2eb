package deployment

// BuildSettings say how a repository becomes an image, beyond its commands. Stored as JSON: a field that is absent has its
// default.
type BuildSettings struct {
	Dockerfile DockerfileSettings `json:"dockerfile"`
	Static     StaticSettings     `json:"static"`
	Strict     []string           `json:"strict,omitempty"` // codes of warnings that fail a deploy; StrictAll for every one
	Repairs    Repairs            `json:"repairs,omitempty"`
	Network    BuildNetwork       `json:"network,omitempty"`
	NonRoot    bool               `json:"non_root,omitempty"` // the app of a rendered Dockerfile runs as a user without rights
	Provenance Provenance         `json:"provenance,omitempty"`
	SSH        bool               `json:"ssh,omitempty"`  // RUN --mount=type=ssh may use the project's SSH key
	SBOM       bool               `json:"sbom,omitempty"` // attach a list of what the image holds
	// Every file of the image that is newer than the commit gets the commit's time, so that the same steps give the same digest.
	Reproducible bool `json:"reproducible,omitempty"`
}

// DockerfileSettings say which of a repository's Dockerfiles is built and how.
type DockerfileSettings struct {
	Path      string            `json:"path,omitempty"`   // slash path inside the root directory
	Target    string            `json:"target,omitempty"` // the stage to build; "" for the last one
	BuildArgs map[string]string `json:"build_args,omitempty"`
}

// StaticSettings say which files are served and how. With a Folder, whatever builds the repository, that folder of the
// result is what is served, and nothing else runs.
type StaticSettings struct {
	Folder  string         `json:"folder,omitempty"` // slash path inside the root directory; "" lets the planner find it
	SPA     bool           `json:"spa,omitempty"`    // a path without a file answers with index.html
	Headers []StaticHeader `json:"headers,omitempty"`
}

// StaticHeader is a header of the answers to some paths.
type StaticHeader struct {
	Path  string `json:"path"` // starts with "/" and may end in "*"
	Name  string `json:"name"`
	Value string `json:"value"`
}

// StrictAll in BuildSettings.Strict stands for every code.
const StrictAll = "all"

// Repairs say whether a plan that cannot lead to a serving app is put right.
type Repairs string

// The values of Repairs.
const (
	RepairsOn  Repairs = "on"
	RepairsOff Repairs = "off"
)

// BuildNetwork says what a RUN reaches.
type BuildNetwork string

// The networks of a build.
const (
	BuildNetworkSandbox BuildNetwork = "sandbox" // public hosts
	BuildNetworkNone    BuildNetwork = "none"
)

// Provenance says how much about a build is attached to its image.
type Provenance string

// The values of Provenance, which are BuildKit's modes.
const (
	ProvenanceOff Provenance = "off"
	ProvenanceMin Provenance = "min" // what went in, without build arguments and without the Dockerfile
	ProvenanceMax Provenance = "max"
)

// DefaultDockerfile is the Dockerfile that is built unless the project names another.
const DefaultDockerfile = "Dockerfile"

// WithDefaults returns s with every setting that was left empty filled in.
func (s BuildSettings) WithDefaults() BuildSettings {
	if s.Dockerfile.Path == "" {
		s.Dockerfile.Path = DefaultDockerfile
	}
	if s.Repairs == "" {
		s.Repairs = RepairsOn
	}
	if s.Network == "" {
		s.Network = BuildNetworkSandbox
	}
	if s.Provenance == "" {
		s.Provenance = ProvenanceOff
	}
	return s
}
