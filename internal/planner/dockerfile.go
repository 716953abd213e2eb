package planner

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// planDockerfile takes the repository's own Dockerfile as it is.
func planDockerfile(src *source, project deployment.Project) (*deployment.Plan, string, error) {
	settings := project.Build.Dockerfile
	if project.Build.Static.Folder != "" {
		return nil, "", deployment.UserFailure("plan.static_dockerfile",
			"remove static.folder from the project, or set its builder to nixpacks or static",
			"static.folder serves files, and %s says what runs", settings.Path)
	}
	data, err := src.read(settings.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", deployment.UserFailure("plan.no_dockerfile",
			"add it to the project's root_dir, correct the project's dockerfile.path, or set the project's builder to auto",
			"found no %s in %s", settings.Path, place(src))
	}
	if err != nil {
		return nil, "", deployment.UserFailure("plan.dockerfile_unreadable",
			"make it an ordinary file inside the project's root_dir", "read %s: %w", settings.Path, err)
	}
	if err := checkSyntax(data); err != nil {
		return nil, "", err
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, "", deployment.UserFailure("plan.invalid_dockerfile", "put the Dockerfile right", "read the Dockerfile: %w", err)
	}
	port, found := exposedPort(parsed.AST, settings.Target)
	if !found {
		return nil, "", deployment.UserFailure("plan.no_target", "correct the project's dockerfile.target, or leave it out for the last stage",
			"%s has no stage %q", settings.Path, settings.Target)
	}
	return &deployment.Plan{
		Builder:        deployment.BuilderDockerfile,
		Providers:      []string{"dockerfile"},
		DockerfilePath: settings.Path,
		Target:         settings.Target,
		BuildArgs:      settings.BuildArgs,
		Port:           port,
		Warnings:       ignoredCommands(project),
	}, string(data), nil
}

// officialFrontend is the one frontend image that may be named: another is a program of the repository's choosing that
// would run beside the builder instead of inside a build step.
var officialFrontend = regexp.MustCompile(`^(docker\.io/)?docker/dockerfile(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?$`)

func checkSyntax(data []byte) error {
	image, _, _, found := parser.DetectSyntax(data)
	if !found || officialFrontend.MatchString(image) {
		return nil
	}
	return deployment.UserFailure("plan.syntax_not_allowed", `remove the line, or use "# syntax=docker/dockerfile:1"`,
		"the Dockerfile asks for the frontend %q, which is not docker/dockerfile", image)
}

// exposedPort returns the first TCP port that the target stage exposes ("" for the last one, a number counts from 0), else what
// the stage that it is built on exposes; 0 for none. It is not found when there is no such stage.
func exposedPort(ast *parser.Node, target string) (port int, found bool) {
	ports := map[string]int{} // by lower-case name of the stage
	stage, inherited, own, number := "", 0, 0, -1
	target = strings.ToLower(target)
	for _, node := range ast.Children {
		args := arguments(node)
		switch strings.ToLower(node.Value) {
		case "from":
			if found && target != "" {
				return cmp.Or(own, inherited), true
			}
			number++
			ports[stage] = cmp.Or(own, inherited)
			stage, inherited, own = stageName(args), ports[baseName(args)], 0
			found = target == "" || target == stage || target == strconv.Itoa(number)
		case "expose":
			own = cmp.Or(own, firstPort(args))
		}
	}
	return cmp.Or(own, inherited), found || target == ""
}

func baseName(from []string) string {
	if len(from) == 0 {
		return ""
	}
	return strings.ToLower(from[0])
}

// stageName returns the name that FROM gives to a stage, a name that no image can have when it gives none.
func stageName(from []string) string {
	if len(from) == 3 && strings.EqualFold(from[1], "as") {
		return strings.ToLower(from[2])
	}
	return ""
}

func arguments(node *parser.Node) []string {
	var args []string
	for arg := node.Next; arg != nil; arg = arg.Next {
		args = append(args, arg.Value)
	}
	return args
}

// firstPort returns the first plain TCP port of an EXPOSE; ranges and variables say nothing certain.
func firstPort(args []string) int {
	for _, arg := range args {
		number, protocol, _ := strings.Cut(arg, "/")
		if port, err := strconv.Atoi(number); err == nil && port > 0 && port < 1<<16 && (protocol == "" || strings.EqualFold(protocol, "tcp")) {
			return port
		}
	}
	return 0
}

func ignoredCommands(project deployment.Project) []deployment.Warning {
	if !hasCommands(project) {
		return nil
	}
	return []deployment.Warning{deployment.NewWarning("dockerfile.commands_ignored", project.Build.Dockerfile.Path, 0,
		"the project's install, build and start commands do nothing: the Dockerfile says what runs")}
}
