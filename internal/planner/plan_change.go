package planner

import (
	"cmp"
	"maps"
	"slices"
)

// planChange is a partial plan that nixpacks merges over its own: lists replace, maps merge.
type planChange struct {
	Providers  []string               `json:"providers,omitempty"`
	BuildImage string                 `json:"buildImage,omitempty"`
	Variables  map[string]string      `json:"variables,omitempty"`
	Phases     map[string]phaseChange `json:"phases,omitempty"`
	Start      *startChange           `json:"start,omitempty"`
}

// phaseChange replaces lists of a phase; an empty list clears, nil leaves alone.
type phaseChange struct {
	NixPkgs          *[]string `json:"nixPkgs,omitempty"`
	NixLibs          *[]string `json:"nixLibs,omitempty"`
	NixOverlays      *[]string `json:"nixOverlays,omitempty"`
	AptPkgs          *[]string `json:"aptPkgs,omitempty"`
	Cmds             *[]string `json:"cmds,omitempty"`
	DependsOn        *[]string `json:"dependsOn,omitempty"`
	Paths            *[]string `json:"paths,omitempty"`
	OnlyIncludeFiles *[]string `json:"onlyIncludeFiles,omitempty"`
	CacheDirectories *[]string `json:"cacheDirectories,omitempty"`
}

type startChange struct {
	Cmd      string `json:"cmd,omitempty"`
	RunImage string `json:"runImage,omitempty"`
}

func (c planChange) empty() bool {
	return len(c.Providers) == 0 && c.BuildImage == "" && len(c.Variables) == 0 && len(c.Phases) == 0 && c.Start == nil
}

// keep stands in a list for the plan's own.
const keep = "..."

// merged returns both changes in one; where both name something, the other's counts.
func (c planChange) merged(other planChange) planChange {
	both := planChange{
		Providers: slices.Concat(c.Providers, other.Providers), BuildImage: cmp.Or(other.BuildImage, c.BuildImage),
		Variables: map[string]string{}, Phases: map[string]phaseChange{},
	}
	maps.Copy(both.Variables, c.Variables)
	maps.Copy(both.Variables, other.Variables)
	maps.Copy(both.Phases, c.Phases)
	for name, phase := range other.Phases {
		before := both.Phases[name]
		both.Phases[name] = phaseChange{
			NixPkgs: cmp.Or(phase.NixPkgs, before.NixPkgs), NixLibs: cmp.Or(phase.NixLibs, before.NixLibs),
			NixOverlays: cmp.Or(phase.NixOverlays, before.NixOverlays), AptPkgs: cmp.Or(phase.AptPkgs, before.AptPkgs),
			Cmds: cmp.Or(phase.Cmds, before.Cmds), DependsOn: cmp.Or(phase.DependsOn, before.DependsOn), Paths: cmp.Or(phase.Paths, before.Paths),
			OnlyIncludeFiles: cmp.Or(phase.OnlyIncludeFiles, before.OnlyIncludeFiles), CacheDirectories: cmp.Or(phase.CacheDirectories, before.CacheDirectories),
		}
	}
	if c.Start != nil || other.Start != nil {
		mine, its := cmp.Or(c.Start, &startChange{}), cmp.Or(other.Start, &startChange{})
		both.Start = &startChange{Cmd: cmp.Or(its.Cmd, mine.Cmd), RunImage: cmp.Or(its.RunImage, mine.RunImage)}
	}
	return both
}

// planChange spells the overrides out for the phases that a plan has: any phase may bring packages, not just setup.
func (o Overrides) planChange(n *nativePlan) planChange {
	image, apt := o.forProviders(n.providers())
	change := planChange{BuildImage: image, Variables: o.Variables, Phases: map[string]phaseChange{}}
	if o.RunImage != "" && n.Start.RunImage != "" {
		change.Start = &startChange{RunImage: o.RunImage}
	}
	if o.ClearPackages {
		for name := range n.Phases {
			none := &[]string{}
			change.Phases[name] = phaseChange{NixPkgs: none, NixLibs: none, NixOverlays: none, AptPkgs: none}
		}
	}
	if len(apt) > 0 {
		setup := change.Phases["setup"]
		if !o.ClearPackages {
			apt = append([]string{keep}, apt...)
		}
		setup.AptPkgs = &apt
		change.Phases["setup"] = setup
	}
	return change
}

// forProviders returns the build image and the apt packages for a plan of the given providers; of several images the
// first provider's is taken, because that is the one that matched.
func (o Overrides) forProviders(providers []string) (image string, apt []string) {
	image = o.BuildImage
	chosen := false
	for _, name := range providers {
		provider, ok := o.Providers[name]
		if !ok {
			continue
		}
		if provider.BuildImage != "" && !chosen {
			image, chosen = provider.BuildImage, true
		}
		apt = append(apt, provider.AptPackages...)
	}
	slices.Sort(apt)
	return image, slices.Compact(apt)
}
