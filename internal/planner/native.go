package planner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// nativePlan is the part of nixpacks' plan that slipway reads.
type nativePlan struct {
	BuildImage   string                 `json:"buildImage"`
	Variables    map[string]string      `json:"variables"`
	StaticAssets map[string]string      `json:"staticAssets"`
	Phases       map[string]nativePhase `json:"phases"`
	Start        nativeStart            `json:"start"`
}

type nativePhase struct {
	DependsOn        []string `json:"dependsOn"`
	NixPkgs          []string `json:"nixPkgs"`
	NixLibs          []string `json:"nixLibs"`
	NixOverlays      []string `json:"nixOverlays"`
	NixpkgsArchive   string   `json:"nixpkgsArchive"`
	AptPkgs          []string `json:"aptPkgs"`
	Cmds             []string `json:"cmds"`
	OnlyIncludeFiles []string `json:"onlyIncludeFiles"` // nil means everything, empty means nothing
	CacheDirectories []string `json:"cacheDirectories"`
	Paths            []string `json:"paths"`
}

type nativeStart struct {
	Cmd              string   `json:"cmd"`
	RunImage         string   `json:"runImage"`
	OnlyIncludeFiles []string `json:"onlyIncludeFiles"`
	User             string   `json:"user"`
}

// metadataVariable is where nixpacks names the providers that matched; its field "providers" holds the pinned ones only.
const metadataVariable = "NIXPACKS_METADATA"

func (n *nativePlan) providers() []string {
	return strings.FieldsFunc(n.Variables[metadataVariable], func(r rune) bool { return r == ',' })
}

// command returns the commands of a phase as one line.
func (n *nativePlan) command(phase string) string {
	return strings.Join(n.Phases[phase].Cmds, " && ")
}

// commands returns those of all phases, a line each.
func (n *nativePlan) commands() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(n.Phases)) {
		lines = append(lines, n.Phases[name].Cmds...)
	}
	return strings.Join(lines, "\n")
}

// hasNix reports whether a phase installs something through nix.
func (n *nativePlan) hasNix() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(n.Phases)), nativePhase.usesNix)
}

func (p nativePhase) usesNix() bool { return len(p.NixPkgs)+len(p.NixLibs) > 0 }

// order returns the names of the phases so that each comes after those it depends on; among equals an install comes first,
// before others bring the whole source, and else the name decides, so that the same plan gives the same Dockerfile. A dependency on a phase that the plan does not have counts as met.
func (n *nativePlan) order() ([]string, error) {
	waiting := slices.Sorted(maps.Keys(n.Phases))
	var ordered []string
	for len(waiting) > 0 {
		ready := func(name string) bool {
			return !slices.ContainsFunc(n.Phases[name].DependsOn, func(dep string) bool { return slices.Contains(waiting, dep) })
		}
		next := slices.IndexFunc(waiting, func(name string) bool { return phaseKind(name) == "install" && ready(name) })
		if next < 0 {
			next = slices.IndexFunc(waiting, ready)
		}
		if next < 0 {
			return nil, deployment.UserFailure("plan.phase_cycle", "remove one dependsOn from the phases in nixpacks.toml",
				"the phases %s wait for each other", strings.Join(waiting, ", "))
		}
		ordered = append(ordered, waiting[next])
		waiting = slices.Delete(waiting, next, next+1)
	}
	return ordered, nil
}

func decodeNative(data []byte) (*nativePlan, error) {
	var n nativePlan
	if err := json.Unmarshal(data, &n); err != nil {
		return nil, deployment.PlatformFailure("plan.nixpacks_crashed", InstallNixpacks, "read the plan of nixpacks: %w", err)
	}
	return &n, nil
}

// redact returns nixpacks' JSON without what stands in the plan itself under slipway's names, so that a value that is
// removed or hidden there has no second copy here.
func redact(data []byte) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read the plan of nixpacks: %w", err)
	}
	delete(fields, "variables")
	delete(fields, "staticAssets")
	return encodeNative(fields)
}

// withoutPhases returns nixpacks' JSON without these phases.
func withoutPhases(data json.RawMessage, names ...string) (json.RawMessage, error) {
	var fields, phases map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read the plan of nixpacks: %w", err)
	}
	if err := json.Unmarshal(fields["phases"], &phases); err != nil {
		return nil, fmt.Errorf("read the phases of nixpacks: %w", err)
	}
	for _, name := range names {
		delete(phases, name)
	}
	var err error
	if fields["phases"], err = encodeNative(phases); err != nil {
		return nil, err
	}
	return encodeNative(fields)
}

func encodeNative(v any) (json.RawMessage, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // people read it: "&&" shall not become an escape
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the plan of nixpacks: %w", err)
	}
	return bytes.TrimSpace(data.Bytes()), nil
}

// phaseKind returns what a phase is for: "install" for the phase "python:install" of a second provider.
func phaseKind(name string) string {
	_, kind, found := strings.Cut(name, ":")
	if !found {
		kind = ""
	}
	return cmp.Or(kind, name)
}
