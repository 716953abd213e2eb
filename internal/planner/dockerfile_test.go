package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/planner"
)

func TestDockerfile_PortFromExpose(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dockerfile string
		want       int
	}{
		"none":                    {"FROM a\n", 3000},
		"one":                     {"FROM a\nEXPOSE 8080\n", 8080},
		"the first of several":    {"FROM a\nEXPOSE 8080/tcp 9090\nEXPOSE 7070\n", 8080},
		"udp is not HTTP":         {"FROM a\nEXPOSE 53/udp 8081\n", 8081},
		"the final stage's":       {"FROM a AS build\nEXPOSE 1111\nFROM b\nEXPOSE 2222\n", 2222},
		"not another stage's":     {"FROM a AS build\nEXPOSE 1111\nFROM b\n", 3000},
		"inherited":               {"FROM a AS Base\nEXPOSE 1111\nFROM --platform=linux/amd64 base\n", 1111},
		"its own before":          {"FROM a AS base\nEXPOSE 1111\nFROM base\nEXPOSE 2222\n", 2222},
		"a variable says nothing": {"FROM a\nARG P=1\nEXPOSE $P 8000-8010\n", 3000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkout := writeRepo(t, map[string]string{"Dockerfile": test.dockerfile})
			plan, dockerfile, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{}, []string{"TOKEN"})
			require.NoError(t, err)
			require.Equal(t, test.want, plan.Port)
			require.Equal(t, test.dockerfile, dockerfile)
			require.Equal(t, []string{"TOKEN"}, plan.SecretNames)
		})
	}
}

func TestDockerfile_BaseOfTheStageThatIsBuilt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ dockerfile, target, want string }{
		"the only one":       {"FROM node:22\n", "", "node:22"},
		"the last one's":     {"FROM golang:1 AS build\nFROM --platform=$TARGETPLATFORM debian:12 AS run\n", "", "debian:12"},
		"the target's":       {"FROM golang:1 AS build\nFROM debian:12\n", "build", "golang:1"},
		"of the stage below": {"FROM debian:12 AS Base\nFROM golang:1\nFROM base\n", "", "debian:12"},
		"with capitals":      {"FROM a/B:1-Slim\n", "", "a/B:1-Slim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkout := writeRepo(t, map[string]string{"Dockerfile": test.dockerfile})
			project := deployment.Project{}
			project.Build.Dockerfile.Target = test.target
			plan, _, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, project, nil)
			require.NoError(t, err)
			require.Equal(t, test.want, plan.Base)
		})
	}
}

func TestDockerfile_ProjectsPortWins(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"Dockerfile": "FROM a\nEXPOSE 8080\n"})
	plan, _, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{Port: 5000}, nil)
	require.NoError(t, err)
	require.Equal(t, 5000, plan.Port)
}

func TestDockerfile_Syntax(t *testing.T) {
	t.Parallel()
	for _, allowed := range []string{"docker/dockerfile:1", "docker.io/docker/dockerfile:1.10-labs", "docker/dockerfile"} {
		checkout := writeRepo(t, map[string]string{"Dockerfile": "# syntax=" + allowed + "\nFROM a\n"})
		_, _, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{}, nil)
		require.NoError(t, err, allowed)
	}
	for _, text := range []string{
		"# syntax=evil/frontend\nFROM a\n", "#syntax = evil.example.com/docker/dockerfile:1\nFROM a\n",
		"# escape=`\n# syntax=docker/dockerfile-evil\nFROM a\n", "#!/usr/bin/env x\n// syntax=evil/frontend\nFROM a\n",
		`{"syntax": "evil/frontend"}`,
	} {
		checkout := writeRepo(t, map[string]string{"Dockerfile": text})
		_, _, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{}, nil)
		requireFailure(t, err, deployment.ClassUser, "plan.syntax_not_allowed")
	}
}

func TestDockerfile_Unreadable(t *testing.T) {
	t.Parallel()
	checkout := writeRepo(t, map[string]string{"Dockerfile": "FROM a\nRUN <<X\nnever ends\n"})
	_, _, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{}, nil)
	f := requireFailure(t, err, deployment.ClassUser, "plan.invalid_dockerfile")
	require.Contains(t, f.Message, "unterminated heredoc")
}

func TestDockerfile_PathTargetAndArguments(t *testing.T) {
	t.Parallel()
	const content = "FROM debian AS base\nEXPOSE 1000\nFROM base AS web\nFROM base AS jobs\nEXPOSE 2000\n"
	checkout := writeRepo(t, map[string]string{"deploy/web.Dockerfile": content, "package.json": "{}"})
	settings := deployment.DockerfileSettings{Path: "deploy/web.Dockerfile", BuildArgs: map[string]string{"A": "b"}}
	for target, port := range map[string]int{"": 2000, "web": 1000, "Web": 1000, "base": 1000, "jobs": 2000, "1": 1000, "2": 2000} {
		settings.Target = target
		plan, dockerfile, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{Build: deployment.BuildSettings{Dockerfile: settings}}, nil)
		require.NoError(t, err, target)
		require.Equal(t, content, dockerfile)
		require.Equal(t, port, plan.Port, target)
		require.Equal(t, []any{"deploy/web.Dockerfile", target, settings.BuildArgs}, []any{plan.DockerfilePath, plan.Target, plan.BuildArgs})
	}
	settings.Target = "worker"
	_, _, err := planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{Build: deployment.BuildSettings{Dockerfile: settings}}, nil)
	require.Contains(t, requireFailure(t, err, deployment.ClassUser, "plan.no_target").Fix, "dockerfile.target")
	settings.Path, settings.Target = "deploy/jobs.Dockerfile", ""
	_, _, err = planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{Build: deployment.BuildSettings{Dockerfile: settings}}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.no_dockerfile") // and no plan of nixpacks instead
	settings.Path = "deploy/web.Dockerfile"
	served := deployment.BuildSettings{Dockerfile: settings, Static: deployment.StaticSettings{Folder: "dist"}}
	_, _, err = planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{Build: served}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.static_dockerfile")
	settings.Path = "Dockerfile"
	_, _, err = planner.New(planner.Options{}).Plan(t.Context(), checkout, deployment.Project{Builder: deployment.BuilderDockerfile, Build: deployment.BuildSettings{Dockerfile: settings}}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.no_dockerfile")
}
