package planner

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

var (
	scriptRun = regexp.MustCompile(`(?:^|exec |&& )(?:npm|pnpm|yarn|bun)(?: run)? ([A-Za-z0-9:_-]+)$`)
	devServer = regexp.MustCompile(`(?:^|[;&|] ?|/|npx |bunx |exec |bundle |python3? (?:-m )?)(` + strings.Join([]string{
		`react-scripts start`, `vite(?: dev| serve| preview)?(?: --?[a-z].*)?$`, `bun (?:--bun )?(?:run )?--(?:watch|hot)\b`, `next dev`, `nuxt dev`, `nuxi dev`, `ng serve`, `astro dev`,
		`vue-cli-service serve`, `webpack(?:-dev-server| serve)`, `gatsby develop`, `nodemon`, `ts-node-dev`, `tsx watch`, `flask run`,
		`(?:python3? )?manage\.py runserver`, `uvicorn [^&|;]*--reload`, `php -S`, `php artisan serve`,
	}, "|") + `)`)
)

var (
	apart = regexp.MustCompile(`'[^']*'|"[^"]*"|\$\([^()]*\)|&>|>&|&&|\|\|`) // what is no pipe and no background job
	jobs  = regexp.MustCompile(`[|&]`)
)

// startScript returns what the start command runs: the script of package.json that it names, with its line, or itself.
func (l *look) startScript() (command, file string, line int) {
	command = strings.TrimSpace(l.plan.StartCommand)
	for range 3 { // a script may call another
		call := scriptRun.FindStringSubmatch(command)
		if call == nil || l.manifest.Scripts[call[1]] == "" {
			break
		}
		command, file, line = l.manifest.Scripts[call[1]], packageJSON, l.keyLine(packageJSON, "scripts", call[1])
	}
	if file == "" {
		if groups, at := l.match("Procfile", regexp.MustCompile(`(?m)^[a-z]+:\s*(`+regexp.QuoteMeta(command)+`)\s*$`)); groups != nil {
			return command, "Procfile", at
		}
	}
	return command, file, line
}

func (l *look) startWarnings() {
	command, file, line := l.startScript()
	if server := devServer.FindStringSubmatch(command); server != nil {
		l.warn("start.dev_server", file, line, "the start command runs %q, a server for development", strings.TrimSpace(server[1]))
	}
	start := strings.TrimSpace(l.plan.StartCommand)
	if withExec(start) == start && jobs.MatchString(apart.ReplaceAllString(start, "")) {
		l.warn("start.signals", file, line, "the shell stays in front of %q and passes no signal on", start)
	}
	l.portWarnings(command, file, line)
}

var (
	namedPort = regexp.MustCompile(`(?:--port[ =]|(?:^|\s)-p[ =]?|--bind[ =]\S*:|(?:^|\s)-b[ =]?\S+:|0\.0\.0\.0:|127\.0\.0\.1:|localhost:)(\d{2,5})\b`)
	ownPorts  = []struct {
		server *regexp.Regexp
		listen string
	}{
		{regexp.MustCompile(`(?:^|[\s/])(?:uvicorn|hypercorn) `), "127.0.0.1:8000"},
		{regexp.MustCompile(`(?:^|[\s/])flask run`), "127.0.0.1:5000"},
		{regexp.MustCompile(`manage\.py runserver\s*(?:$|&)`), "127.0.0.1:8000"},
		{regexp.MustCompile(`-m http\.server\s*(?:$|&)`), "port 8000"},
	}
	portFlag = regexp.MustCompile(`(?:^|\s)(?:--port|-p|--bind|-b|--fd|--uds)\b`)
)

var pythonScript = regexp.MustCompile(`^(?:exec )?python3? (\S+\.py)(?:$|\s)`)

// portWarnings tells of a server that will not be found: it listens on a port of its own.
func (l *look) portWarnings(command, file string, line int) {
	if script := pythonScript.FindStringSubmatch(command); script != nil {
		if call := l.pythonRun(script[1]); call != nil && l.unreachable(*call) != "" {
			l.warn("start.no_port", script[1], call.line, "the app listens on %s and is expected on all addresses at port %d", l.unreachable(*call), l.plan.Port).
				Fix = "start it with gunicorn or uvicorn on 0.0.0.0:$PORT, or run it with host=\"0.0.0.0\" and the port of the variable PORT"
		}
		return
	}
	if strings.Contains(command, "PORT") {
		return
	}
	if named := namedPort.FindStringSubmatch(command); named != nil {
		if named[1] != strconv.Itoa(l.plan.Port) {
			l.warn("start.no_port", file, line, "the start command names port %s, and the app is expected on %d", named[1], l.plan.Port).
				Fix = "use $PORT in the start command, or set the project's port to " + named[1]
		}
		return
	}
	for _, own := range ownPorts {
		if own.server.MatchString(command) && !portFlag.MatchString(command) {
			l.warn("start.no_port", file, line, "%q listens on %s, and the app is expected on all addresses at port %d", command, own.listen, l.plan.Port)
			return
		}
	}
}

// publicPrefixes are the prefixes of variables that a framework compiles into its bundles.
var publicPrefixes = []struct{ dependency, prefix string }{
	{"next", "NEXT_PUBLIC_"},
	{"vite", "VITE_"},
	{"react-scripts", "REACT_APP_"},
	{"nuxt", "NUXT_PUBLIC_"},
	{"gatsby", "GATSBY_"},
	{"astro", "PUBLIC_"},
	{"@sveltejs/kit", "PUBLIC_"},
	{"@vue/cli-service", "VUE_APP_"},
	{"expo", "EXPO_PUBLIC_"},
}

func (l *look) frontEndWarnings() {
	served := strings.Contains(l.plan.StartCommand, "caddy run")
	if script := l.manifest.Scripts["start"]; served && script != "" && !devServer.MatchString(script) {
		l.warn("spa.start_overridden", packageJSON, l.keyLine(packageJSON, "scripts", "start"),
			"the build's files are served by Caddy; the start script %q never runs", script)
	}
	for _, public := range publicPrefixes {
		line := l.depends(public.dependency)
		names := slices.DeleteFunc(slices.Clone(l.plan.SecretNames), func(name string) bool { return !strings.HasPrefix(name, public.prefix) })
		if line > 0 && len(names) > 0 {
			l.warn("public_env.baked", packageJSON, line, "%s compiles %s into what browsers load", public.dependency, strings.Join(names, ", "))
		}
	}
}

// networkWarnings tells of a build that needs the network that the project denies it.
func (l *look) networkWarnings() {
	if l.project.Build.Network != deployment.BuildNetworkNone {
		return
	}
	if l.dockerfile != nil {
		for _, run := range l.dockerfile.run {
			if needs := fetches.FindString(run.text); needs != "" {
				l.warn("egress.unreachable", l.plan.DockerfilePath, run.line, "build_network is none, and %q needs the network", needs)
				return
			}
		}
		return
	}
	needs := fetches.FindString(cmp.Or(l.plan.InstallCommand, l.plan.BuildCommand))
	if l.native.hasNix() {
		needs = "nix-env"
	}
	if needs != "" {
		l.warn("egress.unreachable", "", 0, "build_network is none, and %q needs the network", needs)
	}
}

var fetches = regexp.MustCompile(`\b(?:npm (?:ci|i|install)|pnpm (?:i|install)|yarn install|bun (?:i|install)|pip3? install|go mod download|bundle install|` +
	`composer install|apt-get (?:update|install)|apk add|curl|wget|cargo build|dotnet restore|mix deps\.get)\b`)
