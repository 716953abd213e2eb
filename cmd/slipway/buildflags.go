package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/slipway-dev/slipway/api/client"
)

// buildFlags are the flags of a project that say how its repository becomes an image.
type buildFlags struct {
	dockerfile, target, staticFolder, repairs, network, provenance string
	buildArgs, headers, strict                                     []string
	spa, nonRoot, sbom, reproducible, ssh                          bool
}

func (f *buildFlags) register(flags *pflag.FlagSet) {
	f.registerPlan(flags)
	flags.StringVar(&f.network, "build-network", "", "what a RUN reaches: public hosts (sandbox) or nothing: `sandbox|none` (default sandbox)")
	flags.BoolVar(&f.ssh, "build-ssh", false, "let RUN --mount=type=ssh use the project's SSH key (slipway credentials set)")
	flags.StringVar(&f.provenance, "provenance", "", "attach to the image how it was built: `off|min|max` (default off)")
	flags.BoolVar(&f.sbom, "sbom", false, "attach to the image a list of what it holds")
	flags.BoolVar(&f.reproducible, "reproducible", false, "give the image's files the commit's time, so that the same steps give the same digest")
}

// registerPlan adds those that a plan depends on.
func (f *buildFlags) registerPlan(flags *pflag.FlagSet) {
	flags.StringVar(&f.dockerfile, "dockerfile", "", "build the Dockerfile at `path` inside the app's folder (default Dockerfile)")
	flags.StringVar(&f.target, "target", "", "build this `stage` of the Dockerfile (default: the last one)")
	flags.StringArrayVar(&f.buildArgs, "build-arg", nil, "give the Dockerfile an argument, `NAME=VALUE`; NAME alone takes it away; for secrets use slipway env set")
	flags.StringVar(&f.staticFolder, "static-folder", "", "serve this `folder` of the result instead of starting a command")
	flags.BoolVar(&f.spa, "spa", false, "answer a path without a file with index.html")
	flags.StringArrayVar(&f.headers, "header", nil, "send a header with static files, `\"[PATH] NAME: VALUE\"`; the ones given replace all")
	flags.StringSliceVar(&f.strict, "strict", nil, "fail a deploy with one of these `warnings`, or with any: all")
	flags.StringVar(&f.repairs, "repairs", "", "put a plan right that cannot lead to a serving app: `on|off` (default on)")
	flags.BoolVar(&f.nonRoot, "non-root", false, "run the app as a user without rights")
}

// give sets what is on the command line.
func (f *buildFlags) give(flags *pflag.FlagSet, set *client.ProjectUpdate) error {
	dockerfile := client.DockerfileInput{Path: changed(flags, "dockerfile", f.dockerfile), Target: changed(flags, "target", f.target)}
	if flags.Changed("build-arg") {
		args := f.args()
		dockerfile.BuildArgs = &args
	}
	if dockerfile != (client.DockerfileInput{}) {
		set.Dockerfile = &dockerfile
	}
	static := client.StaticInput{Folder: changed(flags, "static-folder", f.staticFolder), Spa: changed(flags, "spa", f.spa)}
	if flags.Changed("header") {
		headers, err := f.staticHeaders()
		if err != nil {
			return err
		}
		static.Headers = &headers
	}
	if static != (client.StaticInput{}) {
		set.Static = &static
	}
	set.Strict, set.Repairs = changed(flags, "strict", f.strict), changed(flags, "repairs", f.repairs)
	set.BuildNetwork, set.NonRoot = changed(flags, "build-network", f.network), changed(flags, "non-root", f.nonRoot)
	set.BuildSSH = changed(flags, "build-ssh", f.ssh)
	set.Provenance, set.Sbom = changed(flags, "provenance", f.provenance), changed(flags, "sbom", f.sbom)
	set.Reproducible = changed(flags, "reproducible", f.reproducible)
	return nil
}

// args are the arguments by name, nil for one that is taken away.
func (f *buildFlags) args() map[string]*string {
	args := map[string]*string{}
	for _, arg := range f.buildArgs {
		name, value, given := strings.Cut(arg, "=")
		args[name] = nil
		if given {
			args[name] = &value
		}
	}
	return args
}

// staticHeaders reads "NAME: VALUE", before which a path may stand; an empty one stands for none.
func (f *buildFlags) staticHeaders() ([]client.StaticHeader, error) {
	headers := []client.StaticHeader{}
	for _, text := range f.headers {
		if text == "" {
			continue
		}
		name, value, found := strings.Cut(text, ":")
		if !found {
			return nil, &shownError{message: fmt.Sprintf(`--header %q is not "[PATH] NAME: VALUE", e.g. "/assets/* Cache-Control: no-store"`, text), exit: exitUsage}
		}
		header := client.StaticHeader{Path: "/*", Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
		if path, rest, found := strings.Cut(header.Name, " "); found {
			header.Path, header.Name = path, strings.TrimSpace(rest)
		}
		headers = append(headers, header)
	}
	return headers, nil
}

// addBuildSettings shows those settings that say more than the defaults do.
func addBuildSettings(sheet *pairs, p client.Project) {
	add := func(label, text string, shown bool) {
		if shown {
			sheet.add(label, text)
		}
	}
	add("Dockerfile", p.Dockerfile.Path, p.Dockerfile.Path != "Dockerfile")
	add("target", p.Dockerfile.Target, p.Dockerfile.Target != "")
	for _, name := range slices.Sorted(maps.Keys(p.Dockerfile.BuildArgs)) {
		sheet.add("build argument", name+"="+p.Dockerfile.BuildArgs[name])
	}
	add("static folder", p.Static.Folder, p.Static.Folder != "")
	add("single page", "a path without a file answers with index.html", p.Static.Spa)
	for _, h := range p.Static.Headers {
		sheet.add("header", h.Path+" "+h.Name+": "+h.Value)
	}
	add("strict", strings.Join(p.Strict, ", "), len(p.Strict) > 0)
	add("repairs", p.Repairs, p.Repairs == "off")
	add("build network", p.BuildNetwork, p.BuildNetwork == "none")
	add("build SSH", "RUN --mount=type=ssh uses the project's key", p.BuildSSH)
	add("user", "without rights", p.NonRoot)
	add("provenance", p.Provenance, p.Provenance != "off")
	add("SBOM", "attached", p.Sbom)
	add("reproducible", "files have the commit's time", p.Reproducible)
}
