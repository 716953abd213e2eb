package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nixGroup is what is installed from one version of nixpkgs.
type nixGroup struct {
	archive              string // a commit of nixpkgs
	pkgs, libs, overlays []string
}

// defaultNixpkgs is the commit of nixpkgs for phases that pin none (they come from a repository's own configuration).
const defaultNixpkgs = "5148520bfab61f99fd25fb9ff7bfbb50dad3c9db"

// nixGroups collects the packages of all phases by the nixpkgs commit that they are pinned to.
func (n *nativePlan) nixGroups(order []string) []nixGroup {
	groups := map[string]nixGroup{}
	for _, name := range order {
		p := n.Phases[name]
		if !p.usesNix() {
			continue
		}
		archive := p.NixpkgsArchive
		if archive == "" {
			archive = defaultNixpkgs
		}
		g := groups[archive]
		g.archive = archive
		g.pkgs = append(g.pkgs, p.NixPkgs...)
		g.libs = append(g.libs, p.NixLibs...)
		g.overlays = append(g.overlays, p.NixOverlays...)
		groups[archive] = g
	}
	var sorted []nixGroup
	for _, archive := range slices.Sorted(maps.Keys(groups)) {
		sorted = append(sorted, groups[archive])
	}
	return sorted
}

// nix installs the plan's nix packages into root's profile, one environment per nixpkgs commit, as nixpacks' own
// Dockerfiles do: its base image sets a login shell up for that profile.
func (r *renderer) nix(order []string) {
	for _, group := range r.native.nixGroups(order) {
		file := "/tmp/nixpkgs-" + group.archive + ".nix"
		r.file(file, group.expression())
		r.line("RUN nix-env -if %s && nix-collect-garbage -d", file)
	}
}

// expression returns a nix expression for an environment of the group's packages, with a profile script that adds its
// libraries to LD_LIBRARY_PATH.
func (g nixGroup) expression() string {
	name := g.archive + "-env"
	overlays := make([]string, len(g.overlays))
	for i, url := range g.overlays {
		overlays[i] = fmt.Sprintf(`(import (builtins.fetchTarball "%s"))`, url)
	}
	return fmt.Sprintf(`{ }:
let
  pkgs = import (fetchTarball "https://github.com/NixOS/nixpkgs/archive/%s.tar.gz") { overlays = [ %s ]; };
in
with pkgs;
let
  libraryPath = lib.makeLibraryPath [ %s ];
  profile = writeTextDir "etc/profile.d/%s.sh" ''
    export LD_LIBRARY_PATH="${libraryPath}:$LD_LIBRARY_PATH"
%s  '';
in
buildEnv {
  name = "%s";
  paths = [ profile %s ];
}
`, g.archive, strings.Join(overlays, " "), strings.Join(g.libs, " "), name, g.opensslExports(), name, strings.Join(g.pkgs, " "))
}

// opensslExports tells builds that link against OpenSSL where nix has put it; nothing else would lead them there.
func (g nixGroup) opensslExports() string {
	if !slices.Contains(g.libs, "openssl") {
		return ""
	}
	return `    export OPENSSL_DIR="${openssl.dev}"
    export OPENSSL_LIB_DIR="${openssl.out}/lib"
`
}
