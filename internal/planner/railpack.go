package planner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// RailpackFrontend is the image of the BuildKit frontend that builds the plans of Railpack, without its tag: the CLI and
// the frontend are to have one version.
const RailpackFrontend = "ghcr.io/railwayapp/railpack-frontend"

// Railpack says which railpack CLI plans for projects with builder railpack. The zero value is none.
type Railpack struct {
	Path        string   // a path, or a name that is looked up on PATH; "" for none
	Frontend    string   // image of its BuildKit frontend; "" means that of the CLI's version
	Environment []string // as NAME=value: how it reaches the internet, from where it takes tools
}

// RailpackOn returns a Railpack that reaches the internet as a process with the environment given does.
func RailpackOn(path, frontend string, environment []string) Railpack {
	r := Railpack{Path: path, Frontend: frontend}
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR":
			r.Environment = append(r.Environment, variable)
		}
	}
	return r
}

// railpackPlan is the part of a build plan of Railpack that slipway reads (core/plan/plan.go of Railpack).
type railpackPlan struct {
	Secrets []string `json:"secrets"`
	Deploy  struct {
		Base struct {
			Image string `json:"image"`
		} `json:"base"`
		StartCommand string `json:"startCommand"`
	} `json:"deploy"`
}

// railpackInfo is the part of what `railpack prepare --info-out` writes that slipway reads (core/core.go of Railpack).
type railpackInfo struct {
	Version   string                     `json:"railpackVersion"`
	Packages  map[string]railpackPackage `json:"resolvedPackages"`
	Providers []string                   `json:"detectedProviders"`
	Logs      []struct {
		Level   string `json:"level"`
		Message string `json:"msg"`
	} `json:"logs"`
}

type railpackPackage struct {
	Version string `json:"resolvedVersion"`
}

// planRailpack plans with the railpack CLI. Its plan, and not a Dockerfile, is what is built, by Railpack's own frontend.
func (p *Planner) planRailpack(ctx context.Context, src *source, project deployment.Project, secretNames []string) (*deployment.Plan, string, error) {
	if p.railpack.Path == "" {
		return nil, "", deployment.UserFailure("plan.no_railpack",
			"set the project's builder to auto, or ask whoever runs slipway to name the railpack CLI with SLIPWAY_RAILPACK",
			"this host has no Railpack")
	}
	dir, dropped, err := p.privateCopy(ctx, src)
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(filepath.Dir(dir))
	raw, info, err := p.prepare(ctx, dir, project, secretNames)
	if err != nil {
		return nil, "", err
	}
	plan, err := p.fromRailpack(raw, info, secretNames)
	if err != nil {
		return nil, "", err
	}
	plan.BuildCommand, plan.Warnings = project.BuildCommand, linkWarnings(dropped)
	var text bytes.Buffer
	if err := json.Indent(&text, plan.Native, "", "  "); err != nil {
		return nil, "", fmt.Errorf("show the plan of railpack: %w", err)
	}
	return plan, text.String() + "\n", nil
}

func (p *Planner) fromRailpack(raw []byte, info railpackInfo, secretNames []string) (*deployment.Plan, error) {
	var native railpackPlan
	if err := json.Unmarshal(raw, &native); err != nil {
		return nil, deployment.PlatformFailure("plan.railpack_unreadable", checkRailpack, "read the plan of railpack: %w", err)
	}
	if strings.TrimSpace(native.Deploy.StartCommand) == "" {
		// Its image would start a shell, which ends at once.
		return nil, deployment.UserFailure("plan.no_start_command", "set the project's start_command, or deploy.startCommand in railpack.json",
			"Railpack found no command that starts the app")
	}
	for _, name := range native.Secrets {
		if !slices.Contains(secretNames, name) {
			return nil, deployment.UserFailure("plan.secret_missing",
				"add "+name+" to the project's variables with target build, or take it out of the secrets in railpack.json",
				"the repository's railpack.json asks for the secret %q, which the project does not have", name)
		}
	}
	versions := map[string]string{}
	for name, found := range info.Packages {
		versions[name] = found.Version
	}
	return &deployment.Plan{
		Builder:        deployment.BuilderRailpack,
		BuilderVersion: info.Version,
		Providers:      info.Providers,
		Versions:       versions,
		Base:           native.Deploy.Base.Image,
		StartCommand:   native.Deploy.StartCommand,
		Frontend:       cmp.Or(p.railpack.Frontend, RailpackFrontend+":v"+info.Version),
		Native:         raw,
	}, nil
}
