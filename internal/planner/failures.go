package planner

import (
	"fmt"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func noProvider(src *source) error {
	return deployment.UserFailure("plan.no_provider", rootDirHint(src)+
		"add the manifest of your language (package.json, requirements.txt, go.mod, ...) or a Dockerfile with the project's builder set to dockerfile",
		"nixpacks recognises no language in %s", place(src))
}

func nothingToBuild(src *source) error {
	return deployment.UserFailure("plan.nothing_to_build", rootDirHint(src)+
		"add a Dockerfile, the manifest of your language (package.json, requirements.txt, go.mod, ...) or an index.html",
		"found neither a Dockerfile, nor a language that nixpacks knows, nor an index.html in %s", place(src))
}

func noStartCommand(providers []string) error {
	example := "./server"
	for _, provider := range providers {
		switch provider {
		case "python":
			example = "gunicorn --bind 0.0.0.0:$PORT app:app"
		case "node":
			example = "node server.js"
		}
	}
	return deployment.UserFailure("plan.no_start_command",
		fmt.Sprintf("set the project's start_command, e.g. %q, or add a Procfile with a line \"web: <command>\"", example),
		"nixpacks recognises %s but no command that starts the app", strings.Join(providers, ", "))
}

// rootDirHint names folders that look like apps: a monorepo without root_dir is the usual reason for finding nothing.
func rootDirHint(src *source) string {
	folders := src.subfolders()
	if len(folders) == 0 {
		return ""
	}
	for i, folder := range folders {
		folders[i] = fmt.Sprintf("%q", strings.TrimPrefix(src.rel+"/"+folder, "./"))
	}
	return "set the project's root_dir to the app's folder (" + strings.Join(folders[:min(len(folders), 3)], ", ") + "), or "
}

func place(src *source) string {
	if src.rel == "." {
		return "the repository's root"
	}
	return fmt.Sprintf("%q", src.rel)
}
