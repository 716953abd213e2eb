package planner

import (
	"bytes"
	"path"
	"path/filepath"
	"regexp"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// repair is what makes a plan serve that would not.
type repair struct {
	static   *deployment.StaticSettings
	warnings []deployment.Warning
}

// chooseRepair returns what to change about a plan. The project's own settings are no repair and always count; a repair is
// done where they leave the start open and a rule is certain. The zero repair changes nothing.
func chooseRepair(src *source, project deployment.Project, n *nativePlan) (repair, error) {
	settings := project.Build.Static
	if settings.Folder != "" && project.StartCommand != "" {
		return repair{}, deployment.UserFailure("plan.static_commands", "remove start_command or static.folder from the project",
			"static.folder serves files, and start_command starts something else")
	}
	if settings.Folder != "" {
		return repair{static: &settings}, nil
	}
	if project.StartCommand != "" || project.Build.Repairs == deployment.RepairsOff {
		return repair{}, nil
	}
	fix := repairStaticOutput(src, n)
	if fix.static != nil {
		fix.static.SPA = fix.static.SPA || settings.SPA
		fix.static.Headers = settings.Headers
	}
	return fix, nil
}

// lineOf returns the line on which the first match of a pattern starts, 0 without one.
func lineOf(data []byte, pattern *regexp.Regexp) int {
	at := pattern.FindIndex(data)
	if at == nil {
		return 0
	}
	return 1 + bytes.Count(data[:at[0]], []byte("\n"))
}

// insideFolder returns a folder that a tool's configuration names, and whether it is one below the root directory.
func insideFolder(name string) (string, bool) {
	folder := path.Clean(name)
	return folder, folder != "." && filepath.IsLocal(folder) && folderPath.MatchString(folder)
}
