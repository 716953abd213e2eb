package buildkit

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// section is the comment that slipway writes above each phase of a Dockerfile that it renders.
var section = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_:.-]*$`)

// sectionsOf returns the phases of a rendered Dockerfile by the places that BuildKit names its instructions by: "build 3" is the
// third of stage build; of an only stage "3" may be its name as well. It counts as BuildKit does (dockerfile2llb/convert.go, v0.34). A Dockerfile of
// the repository's own has none, and one that does not parse has none: the solve says why.
func sectionsOf(r deployment.BuildRequest) map[string]string {
	sections := map[string]string{}
	if r.DockerfilePath != "" || r.Frontend != "" {
		return sections
	}
	tree, err := parser.Parse(strings.NewReader(r.Dockerfile))
	if err != nil {
		return sections
	}
	stages, stage, place, now := stagesOf(tree.AST), -1, 0, deployment.FigureBase
	for _, node := range tree.AST.Children {
		if n := len(node.PrevComment); n > 0 && section.MatchString(node.PrevComment[n-1]) {
			now = node.PrevComment[n-1]
		}
		switch strings.ToUpper(node.Value) {
		case "FROM":
			stage, place = stage+1, 1
		case "RUN", "COPY", "ADD", "WORKDIR":
			place++
			sections[placed(stages[max(stage, 0)], place)] = now
			if len(stages) == 1 {
				sections[placed("", place)] = now
			}
		}
	}
	return sections
}

func placed(stage string, n int) string { return strings.TrimSpace(fmt.Sprintf("%s %d", stage, n)) }

// stagesOf returns what BuildKit calls the stages.
func stagesOf(tree *parser.Node) []string {
	var names []string
	for _, node := range tree.Children {
		if !strings.EqualFold(node.Value, "FROM") {
			continue
		}
		name := fmt.Sprintf("stage-%d", len(names))
		for word := node.Next; word != nil && word.Next != nil; word = word.Next {
			if strings.EqualFold(word.Value, "AS") {
				name = word.Next.Value
			}
		}
		names = append(names, name)
	}
	if names == nil {
		return []string{""} // it will not build
	}
	return names
}

var numbered = regexp.MustCompile(`^\[(?:(\S+) )? *(\d+)/\d+$`)

// placeOf shortens the beginning of a vertex's name, "[build  3/12", to a place among sections.
func placeOf(beginning string) string {
	m := numbered.FindStringSubmatch(beginning)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(m[1] + " " + m[2])
}
