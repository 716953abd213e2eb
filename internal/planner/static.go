package planner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// defaultStaticImage serves static folders unless the operator names another.
const defaultStaticImage = "docker.io/library/caddy:2.10.0-alpine"

// staticPlan is the native plan of a static folder.
type staticPlan struct {
	Image  string `json:"image"`
	Folder string `json:"folder"` // slash path inside the root directory
}

// planStatic serves a folder that holds an index.html. Nothing is run, so commands of the project contradict it.
func planStatic(src *source, project deployment.Project, overrides Overrides) (*deployment.Plan, error) {
	if hasCommands(project) {
		return nil, deployment.UserFailure("plan.static_commands",
			"remove install_command, build_command and start_command from the project, or set its builder to nixpacks",
			"builder static serves files as they are and runs no command")
	}
	folder, err := staticFolder(src, project.Build.Static)
	if err != nil {
		return nil, err
	}
	config, err := caddyfile(project.Build.Static, false, src.exists(path.Join(folder, "404.html")))
	if err != nil {
		return nil, err
	}
	native, err := json.Marshal(staticPlan{Image: overrides.staticImage(), Folder: folder})
	if err != nil {
		return nil, fmt.Errorf("encode the static plan: %w", err)
	}
	return &deployment.Plan{
		Builder:   deployment.BuilderStatic,
		Providers: []string{"static"},
		Native:    native,
		Base:      overrides.staticImage(),
		Assets:    map[string]string{caddyfileName: config},
	}, nil
}

// staticImage returns the image that serves static folders.
func (o Overrides) staticImage() string { return cmp.Or(o.StaticImage, defaultStaticImage) }

// staticFolder returns the folder to serve: the project's, else the root when it has an index.html, else public or dist.
func staticFolder(src *source, settings deployment.StaticSettings) (string, error) {
	if settings.Folder != "" {
		folder := path.Clean(settings.Folder)
		if !src.exists(path.Join(folder, "index.html")) {
			return "", deployment.UserFailure("plan.no_index_html", "set static.folder to a folder that has an index.html, or leave it empty",
				"found no index.html in the static.folder %q of %s", settings.Folder, place(src))
		}
		return folder, nil
	}
	for _, folder := range []string{".", "public", "dist"} {
		if src.exists(path.Join(folder, "index.html")) {
			return folder, nil
		}
	}
	return "", deployment.UserFailure("plan.no_index_html",
		rootDirHint(src)+"add an index.html, or set the project's builder to auto",
		"found no index.html in %s, nor in its folders public and dist", place(src))
}

// renderStatic returns the Dockerfile of a static folder.
func renderStatic(plan *deployment.Plan) (string, error) {
	var static staticPlan
	if err := json.Unmarshal(plan.Native, &static); err != nil {
		return "", fmt.Errorf("read the static plan: %w", err)
	}
	c := &checker{}
	c.match("image", static.Image, imageName)
	c.match("folder", static.Folder, folderPath)
	c.local("folder", static.Folder)
	if c.fault != nil {
		return "", c.fault
	}
	return serveFolder(plan, static.Image, "", static.Folder), nil
}
