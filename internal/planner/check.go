package planner

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// What may reach a Dockerfile. A repository's nixpacks.toml writes most of a plan, so every string is either free text that
// is quoted (commands, values of variables, contents of files) or has to match one of these.
var (
	imageName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`)
	aptPackage   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+:~=*-]*$`)
	nixArchive   = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)
	overlayURL   = regexp.MustCompile(`^https://[A-Za-z0-9._~:/@%+-]+$`)
	folderPath   = regexp.MustCompile(`^[A-Za-z0-9._/@+~ -]+$`)
	filePattern  = regexp.MustCompile(`^[A-Za-z0-9._/@+*?-][A-Za-z0-9._/@+*? -]*$`)
	searchPath   = regexp.MustCompile(`^[A-Za-z0-9._/@+~${}-]+$`)
	userName     = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	assetName    = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
	mountedPaths = regexp.MustCompile(`^[A-Za-z0-9._/@+~-]+$`)
)

// checkNative refuses what could become an instruction or a path of its own in the Dockerfile.
func checkNative(n *nativePlan, plan *deployment.Plan) error {
	c := &checker{}
	c.match("buildImage", n.BuildImage, imageName)
	for _, name := range slices.Sorted(maps.Keys(n.Phases)) {
		c.phase(name, n.Phases[name])
	}
	c.command("start.cmd", n.Start.Cmd)
	if n.Start.RunImage != "" {
		c.match("start.runImage", n.Start.RunImage, imageName)
	}
	if n.Start.User != "" {
		c.match("start.user", n.Start.User, userName)
	}
	c.files("start.onlyIncludeFiles", n.Start.OnlyIncludeFiles)
	for _, name := range slices.Sorted(maps.Keys(plan.Variables)) {
		c.match("variables", name, variableName)
		c.oneLine("variables."+name, plan.Variables[name])
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Assets)) {
		c.match("staticAssets", name, assetName)
		c.local("staticAssets", name)
		c.text("staticAssets."+name, plan.Assets[name])
	}
	for _, name := range plan.InstallFiles {
		c.match("install_files", name, filePattern)
		c.local("install_files", name)
	}
	for _, name := range plan.SecretNames {
		c.match("secrets", name, variableName)
	}
	return c.fault
}

// checker keeps the first fault that it finds.
type checker struct{ fault error }

func (c *checker) phase(name string, p nativePhase) {
	at := func(field string) string { return "phases." + name + "." + field }
	c.oneLine("phases", name)
	for _, command := range p.Cmds {
		c.command(at("cmds"), command)
	}
	for _, expression := range slices.Concat(p.NixPkgs, p.NixLibs) {
		c.oneLine(at("nixPkgs"), expression)
	}
	c.matchAll(at("nixOverlays"), p.NixOverlays, overlayURL)
	c.match(at("nixpkgsArchive"), p.NixpkgsArchive, nixArchive)
	c.matchAll(at("aptPkgs"), p.AptPkgs, aptPackage)
	c.matchAll(at("cacheDirectories"), p.CacheDirectories, mountedPaths)
	c.matchAll(at("paths"), p.Paths, searchPath)
	c.files(at("onlyIncludeFiles"), p.OnlyIncludeFiles)
}

func (c *checker) command(field, value string) {
	if c.fault == nil && hasControl(value) {
		c.fault = deployment.UserFailure("plan.unsafe_command",
			"write the command on one line in nixpacks.toml, or put it into a script in the repository and call that",
			"%s: the command %s has a line break or another control character", field, shorten(value))
	}
}

func (c *checker) oneLine(field, value string) {
	if c.fault == nil && hasControl(value) {
		c.fault = unsafeValue(field, value, "has a line break or another control character")
	}
}

func (c *checker) text(field, value string) {
	if c.fault == nil && strings.ContainsRune(value, 0) {
		c.fault = unsafeValue(field, value, "holds a NUL byte")
	}
}

func (c *checker) match(field, value string, shape *regexp.Regexp) {
	if c.fault == nil && !shape.MatchString(value) {
		c.fault = unsafeValue(field, value, "has characters that are not allowed there")
	}
}

func (c *checker) matchAll(field string, values []string, shape *regexp.Regexp) {
	for _, value := range values {
		c.match(field, value, shape)
	}
}

func (c *checker) files(field string, names []string) {
	for _, name := range names {
		c.match(field, name, filePattern)
		c.local(field, name)
	}
}

func (c *checker) local(field, name string) {
	if c.fault == nil && !filepath.IsLocal(path.Clean(name)) {
		c.fault = unsafeValue(field, name, "leads out of its folder")
	}
}

func unsafeValue(field, value, fault string) error {
	return deployment.UserFailure("plan.unsafe_value", "change "+field+" in the repository's nixpacks configuration",
		"%s: %s %s", field, shorten(value), fault)
}

func shorten(value string) string {
	const enough = 80
	if runes := []rune(value); len(runes) > enough {
		value = string(runes[:enough]) + "…"
	}
	return fmt.Sprintf("%q", value)
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
