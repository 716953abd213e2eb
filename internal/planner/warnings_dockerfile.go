package planner

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile is what warnings read of a Dockerfile.
type dockerfile struct {
	from   []fromLine   // images that stages are built on, in order
	stages []stage      // in order; the last one is built unless the project says otherwise
	run    []dockerLine // RUN
	copies []dockerLine // COPY and ADD from the context
	values []dockerLine // ARG and ENV: "NAME=value" each, without "=" for an ARG that has no default
	asks   bool         // PORT stands somewhere
}

type dockerLine struct {
	text, kind string
	line       int
}

type fromLine struct {
	image, language, version string
	line                     int
}

type stage struct {
	name, base string // in lower case
	image      string // base as it is written: tags have capitals
	line       int
	start      *dockerLine // the last CMD or ENTRYPOINT, kind "shell" or "exec"
	exposes    bool
}

func readDockerfile(text string) *dockerfile {
	d := &dockerfile{asks: regexp.MustCompile(`\bPORT\b`).MatchString(text)}
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return d // the planner has refused it
	}
	for _, node := range parsed.AST.Children {
		d.instruction(node)
	}
	return d
}

func (d *dockerfile) instruction(node *parser.Node) {
	args := arguments(node)
	line := dockerLine{text: strings.Join(args, " "), kind: "shell", line: node.StartLine}
	if node.Attributes["json"] {
		line.kind = "exec"
	}
	kind := strings.ToLower(node.Value)
	if kind == "from" && len(args) > 0 {
		d.stage(args, node.StartLine)
	}
	if len(d.stages) == 0 && kind != "arg" {
		return
	}
	switch kind {
	case "cmd", "entrypoint":
		d.stages[len(d.stages)-1].start = &line
	case "expose":
		d.stages[len(d.stages)-1].exposes = true
	case "run":
		d.run = append(d.run, line)
	case "copy", "add":
		if !strings.Contains(strings.Join(node.Flags, " "), "--from") {
			d.copies = append(d.copies, line)
		}
	case "arg":
		for _, arg := range args {
			d.values = append(d.values, dockerLine{arg, kind, node.StartLine})
		}
	case "env": // name, value and separator, again and again
		for i := 0; i+1 < len(args); i += 3 {
			d.values = append(d.values, dockerLine{args[i] + "=" + args[i+1], kind, node.StartLine})
		}
	}
}

func (d *dockerfile) stage(args []string, line int) {
	base := strings.ToLower(args[0])
	if !slices.ContainsFunc(d.stages, func(s stage) bool { return s.name == base }) {
		language, version := imageVersion(args[0])
		d.from = append(d.from, fromLine{args[0], language, version, line})
	}
	d.stages = append(d.stages, stage{name: stageName(args), base: base, image: args[0], line: line})
}

// languageImages are the official images of languages, by the last part of their name.
var languageImages = map[string]string{
	"node": "node", "python": "python", "golang": "go", "php": "php", "ruby": "ruby", "openjdk": "java", "eclipse-temurin": "java",
	"amazoncorretto": "java", "dotnet/sdk": "dotnet", "dotnet/aspnet": "dotnet", "dotnet/runtime": "dotnet",
}

var tagVersion = regexp.MustCompile(`^(\d+)(?:\.(\d+))?(?:[.-]|$)`)

// imageVersion returns language and version of a known image, as the table of end-of-life dates spells them.
func imageVersion(image string) (language, version string) {
	image, _, _ = strings.Cut(image, "@")
	name, tag, _ := strings.Cut(path.Base(image), ":")
	if dir := path.Base(path.Dir(image)); dir == "dotnet" {
		name = dir + "/" + name
	}
	found := tagVersion.FindStringSubmatch(tag)
	language = languageImages[name]
	switch {
	case language == "" || found == nil:
		return "", ""
	case language == "node" || language == "java" || language == "dotnet":
		return language, found[1]
	case found[2] == "":
		return "", "" // python:3 is whatever is newest
	}
	return language, found[1] + "." + found[2]
}

func (l *look) dockerfileVersions() {
	versions := map[string]string{}
	for _, from := range l.dockerfile.from {
		if from.language != "" {
			versions[from.language] = from.version
		}
	}
	if len(versions) > 0 {
		l.plan.Versions = versions
	}
	if chain := l.chain(); len(chain) > 0 {
		l.plan.Base = chain[len(chain)-1].image
	}
}

// chain returns the stage that is built and those that it is built on.
func (l *look) chain() (chain []stage) {
	stages := l.dockerfile.stages
	at := len(stages) - 1
	if target := strings.ToLower(l.plan.Target); target != "" {
		at = slices.IndexFunc(stages, func(s stage) bool { return s.name == target })
	}
	for at >= 0 {
		chain = append(chain, stages[at])
		base := stages[at].base
		at = slices.IndexFunc(stages[:at], func(s stage) bool { return s.name == base })
	}
	return chain
}

func (l *look) dockerfileWarnings() {
	l.bakedWarnings()
	for _, copied := range l.dockerfile.copies {
		if sources := strings.Fields(copied.text); len(sources) > 1 && path.Clean(sources[0]) == "." && !l.src.exists(".dockerignore") && !l.src.exists(l.plan.DockerfilePath+".dockerignore") {
			l.warn("context.no_dockerignore", l.plan.DockerfilePath, copied.line, "the whole folder is copied, and no .dockerignore leaves something out")
			break
		}
	}
	l.dockerStartWarnings()
}

// shells are images whose own command is a shell or an interpreter: it ends at once where nobody types.
var shells = regexp.MustCompile(`^(?:docker\.io/)?(?:library/)?(?:scratch|debian|ubuntu|alpine|busybox|node|python|golang|ruby|rust|openjdk|eclipse-temurin)(?::|@|$)`)

func (l *look) dockerStartWarnings() {
	chain := l.chain()
	if len(chain) == 0 {
		return
	}
	var start *dockerLine
	exposes := false
	for _, s := range chain {
		start, exposes = cmp.Or(start, s.start), exposes || s.exposes
	}
	base := chain[len(chain)-1].base
	switch {
	case start == nil && shells.MatchString(base):
		l.warn("start.missing", l.plan.DockerfilePath, chain[0].line, "the stage that is run has neither CMD nor ENTRYPOINT, and %s starts no server", base)
	case start != nil && start.kind == "shell" && !strings.HasPrefix(strings.TrimSpace(start.text), "exec "):
		l.warn("start.signals", l.plan.DockerfilePath, start.line, "%q runs below a shell, which may pass no signal on", start.text)
	}
	if start != nil && start.kind == "shell" {
		if server := devServer.FindStringSubmatch(start.text); server != nil {
			l.warn("start.dev_server", l.plan.DockerfilePath, start.line, "the image starts %q, a server for development", strings.TrimSpace(server[1]))
		}
	}
	if serves := start != nil || !shells.MatchString(base); serves && !exposes && l.project.Port == 0 && !l.dockerfile.asks {
		l.warn("start.no_port", l.plan.DockerfilePath, chain[0].line, "nothing says on which port the app listens; it is expected on %d", l.plan.Port)
	}
}

var (
	secretName = regexp.MustCompile(`(?i)(?:^|_)(?:api_?key|secret|token|passw(?:or)?d|pword|private_?key|access_?key|secret_?key|credentials?)(?:_|$)`)
	harmless   = regexp.MustCompile(`(?i)public|(?:_file|_path|_url|_name|_ttl|_expiry|_length)$`)
)

func looksSecret(name string) bool {
	return secretName.MatchString(name) && !harmless.MatchString(name)
}

// bakedWarnings names values that stay in the image, where everybody who pulls it reads them.
func (l *look) bakedWarnings() {
	for _, value := range l.dockerfile.values {
		name, content, given := strings.Cut(value.text, "=")
		if !looksSecret(name) || given && strings.Trim(content, `"'`) == "" {
			continue
		}
		message := "%s %s stays in the image and its history"
		if !given {
			message = "%s %s gets no value from slipway; one in build_args would stay in the image's history"
		}
		l.warn("secret.baked", l.plan.DockerfilePath, value.line, message, strings.ToUpper(value.kind), name).
			Fix = "set it as a variable of the project and read it where it is needed: RUN --mount=type=secret,id=" + name + ",env=" + name
	}
}
