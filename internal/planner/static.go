package planner

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// defaultStaticImage serves static folders unless the operator names another.
const defaultStaticImage = "docker.io/library/caddy:2-alpine"

// staticPlan is the native plan of a static folder.
type staticPlan struct {
	Image  string `json:"image"`
	Folder string `json:"folder"` // slash path inside the root directory
}

const (
	caddyfileName = "Caddyfile" // the asset that configures the server of a static folder
	staticRoot    = "/srv"      // where the image holds the folder
)

// planStatic serves a folder that holds an index.html. Nothing is run, so commands of the project contradict it.
func planStatic(src *source, project deployment.Project, overrides Overrides) (*deployment.Plan, error) {
	if hasCommands(project) {
		return nil, deployment.UserFailure("plan.static_commands",
			"remove install_command, build_command and start_command from the project, or set its builder to nixpacks",
			"builder static serves files as they are and runs no command")
	}
	folder, err := staticFolder(src)
	if err != nil {
		return nil, err
	}
	image := defaultStaticImage
	if overrides.StaticImage != "" {
		image = overrides.StaticImage
	}
	native, err := json.Marshal(staticPlan{Image: image, Folder: folder})
	if err != nil {
		return nil, fmt.Errorf("encode the static plan: %w", err)
	}
	return &deployment.Plan{
		Builder:   deployment.BuilderStatic,
		Providers: []string{"static"},
		Native:    native,
		Assets:    map[string]string{caddyfileName: caddyfile(src.exists(path.Join(folder, "404.html")))},
	}, nil
}

// staticFolder returns the folder to serve: the root when it has an index.html, else public or dist.
func staticFolder(src *source) (string, error) {
	for _, folder := range []string{".", "public", "dist"} {
		if src.exists(path.Join(folder, "index.html")) {
			return folder, nil
		}
	}
	return "", deployment.UserFailure("plan.no_index_html",
		rootDirHint(src)+"add an index.html, or set the project's builder to auto",
		"found no index.html in %s, nor in its folders public and dist", place(src))
}

// caddyfile returns the server's configuration: plain HTTP on PORT (TLS ends before it) and no admin endpoint. It keeps to
// what Debian 12's caddy 2.6 knows.
func caddyfile(has404 bool) string {
	lines := []string{
		"{",
		"\tadmin off",
		"\tauto_https off",
		"}",
		"",
		fmt.Sprintf(":{$PORT:%d} {", deployment.DefaultPort),
		"\troot * " + staticRoot,
		"\tencode gzip",
		"\tfile_server",
	}
	if has404 {
		lines = append(lines, "\thandle_errors {", "\t\trewrite * /404.html", "\t\tfile_server", "\t}")
	}
	return strings.Join(append(lines, "}", ""), "\n")
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
	return fmt.Sprintf(`FROM %s
# The copy lacks caddy's file capability, with which it could not start in a container that has no capabilities.
RUN cp "$(command -v caddy)" /usr/local/bin/slipway-static
%sCOPY %s
WORKDIR %s
EXPOSE %d
ENTRYPOINT []
CMD ["/usr/local/bin/slipway-static", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`, static.Image, heredocFile("/etc/caddy/"+caddyfileName, plan.Assets[caddyfileName]),
		jsonArray(static.Folder, staticRoot), staticRoot, plan.Port), nil
}
