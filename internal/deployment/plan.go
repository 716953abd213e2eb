package deployment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Builder says how a repository becomes an image.
type Builder string

// The builders that a project may ask for; auto picks one of the others.
const (
	BuilderAuto       Builder = "auto"
	BuilderNixpacks   Builder = "nixpacks"
	BuilderDockerfile Builder = "dockerfile"
	BuilderStatic     Builder = "static"
	BuilderRailpack   Builder = "railpack" // an experiment: never chosen by auto
)

// Plan is what to build and how. It is a value: what is stored and shown is exactly what is built.
type Plan struct {
	Builder        Builder           `json:"builder"` // never auto
	BuilderVersion string            `json:"builder_version,omitempty"`
	Providers      []string          `json:"providers,omitempty"`
	Versions       map[string]string `json:"versions,omitempty"` // of languages, as far as they are known: node → 22
	Base           string            `json:"base,omitempty"`     // the image that the app runs on
	RootDir        string            `json:"root_dir"`           // slash path inside the repository, "." for the root
	Context        *BuildContext     `json:"context,omitempty"`  // what the build gets, when that is more than RootDir
	InstallCommand string            `json:"install_command,omitempty"`
	BuildCommand   string            `json:"build_command,omitempty"`
	StartCommand   string            `json:"start_command,omitempty"`
	ReleaseCommand string            `json:"release_command,omitempty"` // run once in the image before the app is started
	ReleaseFrom    ReleaseFrom       `json:"release_from,omitempty"`    // who gave it, empty for none
	Port           int               `json:"port"`                      // what PORT is set to at run
	Static         *StaticSettings   `json:"static,omitempty"`          // set when a folder of the result is served, its Folder too
	NonRoot        bool              `json:"non_root,omitempty"`        // the app runs as a user without rights
	Variables      map[string]string `json:"variables,omitempty"`       // non-secret build defaults from the planner
	SecretNames    []string          `json:"secrets,omitempty"`         // names of build env vars mounted as secrets, sorted
	DockerfilePath string            `json:"dockerfile,omitempty"`      // for builder dockerfile: path inside RootDir
	Target         string            `json:"target,omitempty"`          // for builder dockerfile: the stage to build, "" for the last
	BuildArgs      map[string]string `json:"build_args,omitempty"`      // for builder dockerfile; not secret
	Frontend       string            `json:"frontend,omitempty"`        // for builder railpack: image of what builds Native
	Ignore         []string          `json:"ignore,omitempty"`          // patterns kept out of the build context
	Native         json.RawMessage   `json:"native,omitempty"`          // the planner's own plan, redacted
	Warnings       []Warning         `json:"warnings,omitempty"`        // also shown on the deployment
	Assets         map[string]string `json:"assets,omitempty"`          // files that the rendered Dockerfile copies: name → content
	// InstallFiles are all that the install phases read, a folder with a slash at its end; InstallReadsAll is why that is
	// the whole source instead. Both are empty where nothing is installed.
	InstallFiles    []string `json:"install_files,omitempty"`
	InstallReadsAll string   `json:"install_reads_all,omitempty"`
}

// ReleaseFrom says where a release command comes from.
type ReleaseFrom string

// The values of ReleaseFrom.
const (
	ReleaseFromNone     ReleaseFrom = ""
	ReleaseFromProject  ReleaseFrom = "project"
	ReleaseFromProcfile ReleaseFrom = "Procfile"
)

// CommandState says how far a run of a deployment has come with the release command.
type CommandState string

// The states of a release command. One that failed ends its run, and has none.
const (
	CommandNone  CommandState = ""
	CommandBegun CommandState = "begun"
	CommandDone  CommandState = "done" // it has ended well
)

// ReleaseArgs returns the release command as the image runs it, in place of its ENTRYPOINT and CMD, nil for none: in the shell that
// starts the app where the plan decides that, else in the one that every image with a shell has.
func (p *Plan) ReleaseArgs() []string {
	switch {
	case p.ReleaseCommand == "":
		return nil
	case p.Builder == BuilderNixpacks:
		return []string{"/bin/bash", "-lc", p.ReleaseCommand}
	case p.Builder == BuilderRailpack:
		return []string{"/bin/bash", "-c", p.ReleaseCommand}
	default:
		return []string{"/bin/sh", "-c", p.ReleaseCommand}
	}
}

// BuildContext is a folder around a plan's RootDir that its build gets as a whole.
type BuildContext struct {
	Dir    string      `json:"dir"`    // slash path inside the repository, "." for all of it
	Reason string      `json:"reason"` // what of it the root directory needs
	Runs   ContextRuns `json:"runs,omitempty"`
}

// ContextRuns says which commands run in a BuildContext's Dir; the others run in the root directory.
type ContextRuns string

// The values of ContextRuns.
const (
	ContextRunsNone    ContextRuns = ""
	ContextRunsInstall ContextRuns = "install"
	ContextRunsAll     ContextRuns = "all"
)

// ContextDir returns the folder that the build gets, by slash path inside the repository.
func (p *Plan) ContextDir() string {
	if p.Context != nil {
		return p.Context.Dir
	}
	return p.RootDir
}

// AppDir returns where the app's commands run, by slash path inside ContextDir.
func (p *Plan) AppDir() string {
	if p.Context == nil || p.Context.Runs == ContextRunsAll {
		return "."
	}
	if p.Context.Dir == "." {
		return p.RootDir
	}
	return strings.TrimPrefix(p.RootDir, p.Context.Dir+"/")
}

// InstallCopies says in words what the install phases get to read, "" where nothing is installed.
func (p *Plan) InstallCopies() string {
	if p.InstallReadsAll != "" {
		return "everything: " + p.InstallReadsAll
	}
	return strings.Join(p.InstallFiles, ", ")
}

// Planned is a plan with everything that is stored beside it.
type Planned struct {
	Plan       *Plan
	Digest     string
	Dockerfile string
	Input      string    // digest of what it was planned from
	Changes    []Warning // what differs from the environment's last deployment; no part of the plan
	Planner    string    // fingerprint of the planner and its configuration; empty when it is not known
}

// Warnings returns the plan's warnings and what changed.
func (p Planned) Warnings() []Warning { return slices.Concat(p.Plan.Warnings, p.Changes) }

// Digest identifies the plan by what is built: the same plan has the same digest on every host, at any time. Warnings and the
// release command do not count: they change nothing of the image, and some warnings come and go with the calendar.
func (p *Plan) Digest() (string, error) {
	built := *p
	built.Warnings, built.ReleaseCommand, built.ReleaseFrom = nil, "", ReleaseFromNone
	data, err := json.Marshal(built) // map keys are sorted, so equal plans are equal bytes
	if err != nil {
		return "", fmt.Errorf("encode plan: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
