package planner

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	caddyfileName = "Caddyfile" // the asset that configures the server of a static folder
	staticRoot    = "/srv"      // where the image holds the folder
)

// Files whose names change with their content are kept for ever, pages are asked for every time. Only a build tool gives the
// folders their meaning: somebody's own assets folder may hold names that stay.
const (
	hashedNames   = `[.-][0-9a-f]{8,}\.(js|mjs|css|map|woff2?)$`
	hashedFolders = `^/(assets|_astro|_app/immutable|static/(js|css))/.|`
	pageNames     = `(^|/)[^/.]*$|\.html$`
)

var plainHeader = regexp.MustCompile("^[A-Za-z0-9][A-Za-z0-9_.-]*$") // caddy gives a meaning to names that start with + and -

// caddyfile returns the server's configuration: plain HTTP on PORT (TLS ends before it) and no admin endpoint. It keeps to
// what Debian 12's caddy 2.6 knows. built says that the folder is the result of a build, whose files are not known yet.
func caddyfile(s deployment.StaticSettings, built, has404 bool) (string, error) {
	hashed, fallback := hashedNames, ""
	if built {
		hashed = hashedFolders + hashedNames
	}
	if s.SPA {
		fallback = " /index.html"
	}
	lines := []string{
		"{", "\tadmin off", "\tauto_https off", "}", "",
		fmt.Sprintf(":{$PORT:%d} {", deployment.DefaultPort),
		"\troot * " + staticRoot,
		"\t@hashed {", "\t\tfile", "\t\tpath_regexp `" + hashed + "`", "\t}",
		"\t@page path_regexp `" + pageNames + "`",
		"\troute {", // in this order: what comes later is stronger
		"\t\tencode gzip",
		"\t\theader @page Cache-Control no-cache",
		"\t\theader @hashed Cache-Control \"public, max-age=31536000, immutable\"",
	}
	for i, h := range s.Headers {
		line, err := headerLine(i, h)
		if err != nil {
			return "", err
		}
		lines = append(lines, "\t\t"+line)
	}
	lines = append(lines, "\t\ttry_files {path} {path}.html {path}/index.html"+fallback, "\t\tfile_server", "\t}")
	if has404 && !s.SPA {
		lines = append(lines, "\thandle_errors {", "\t\trewrite * /404.html", "\t\tfile_server", "\t}")
	}
	return strings.Join(append(lines, "}", ""), "\n"), nil
}

// headerLine writes a value between backticks, where caddy takes all literally but variables of its environment; a brace
// would begin a placeholder and is escaped.
func headerLine(i int, h deployment.StaticHeader) (string, error) {
	switch {
	case !plainHeader.MatchString(h.Name):
		return "", unsafeHeader(i, "name", h.Name)
	case strings.Contains(h.Value, "`"), strings.Contains(h.Value, "{$"), hasControl(h.Value):
		return "", unsafeHeader(i, "value", h.Value)
	case strings.ContainsAny(h.Path, "{}`\"\\ #") || hasControl(h.Path) || !strings.HasPrefix(h.Path, "/"):
		return "", unsafeHeader(i, "path", h.Path)
	}
	value := strings.NewReplacer("{", `\{`, "}", `\}`).Replace(h.Value)
	return fmt.Sprintf("header %s %s `%s`", h.Path, h.Name, value), nil
}

func unsafeHeader(i int, field, value string) error {
	return deployment.UserFailure("plan.unsafe_value", "change the header in the project's static.headers: no backticks, no {$",
		"static.headers[%d].%s: %s cannot be written into the server's configuration", i, field, shorten(value))
}

// serveFolder returns the stage that serves a folder. source are the flags of the COPY that brings it.
func serveFolder(plan *deployment.Plan, image, source, folder string) string {
	return fmt.Sprintf(`FROM %s
# The copy lacks caddy's file capability, with which it could not start in a container that has no capabilities.
RUN cp "$(command -v caddy)" /usr/local/bin/slipway-static
%sCOPY %s%s
WORKDIR %s
%sEXPOSE %d
ENTRYPOINT []
CMD ["/usr/local/bin/slipway-static", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`, image, heredocFile("/etc/caddy/"+caddyfileName, plan.Assets[caddyfileName]), source, jsonArray(folder, staticRoot), staticRoot,
		serverUser(plan), plan.Port)
}

// serverUser makes the server run as nobody that the image knows, who has a place to write to: caddy does not start without.
func serverUser(plan *deployment.Plan) string {
	if !plan.NonRoot {
		return ""
	}
	return "ENV HOME=/tmp XDG_CONFIG_HOME=/tmp XDG_DATA_HOME=/tmp\nUSER " + staticUser + "\n"
}

// staticUser is a number, because images that hold a caddy differ in how a user is added.
const staticUser = "65532:65532"
