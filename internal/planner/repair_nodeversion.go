package planner

import (
	"regexp"
	"strconv"
	"strings"
)

// nodeMajors are what nixpacks' newest package set has. Older ones it takes from sets of their own, where engines ask for them.
var nodeMajors = []int{24, 22, 20, 18}

// newest are what asks for the newest Node there is.
var newest = regexp.MustCompile(`^(?:lts/\*|node|latest|current|stable|lts|--lts)$`)

// nodeVersion asks nixpacks for the Node that is nearest to what the repository asks for, where nixpacks would silently take
// its oldest. Where the operator's base image brings Node, it can only say so, and keep package managers from refusing.
func (r *repairs) nodeVersion() {
	if !r.provides("node") || r.files != "" || r.native.Variables[nodeVersionVariable] != "" {
		return
	}
	wish, file, line, readable := r.nodeWish()
	given, fixed := r.nodeGiven()
	if wish == "" || !readable || given == 0 {
		return
	}
	if newest.MatchString(wish) {
		wish = ">=" + strconv.Itoa(nodeMajors[0])
	}
	met, _, known := majorRange(wish, given)
	if !known || met {
		return
	}
	where, chosen := "the base image", given
	if !fixed {
		where, chosen = "nixpacks", nearestMajor(wish)
		if chosen == given {
			return // a warning says what becomes of it
		}
		r.nodeEnv = strconv.Itoa(chosen)
	}
	if inRange, _, _ := majorRange(wish, chosen); !inRange {
		r.ignoreEngines()
	}
	r.say("repair.node_version", file, line, "ask for Node \""+strconv.Itoa(chosen)+"\" in "+file+" to keep this, or set repairs to off",
		"Node %q is asked for; Node %d is the nearest that %s has, so it is taken", wish, chosen, where)
}

var nixNode = regexp.MustCompile(`^nodejs_(\d+)$`)

// nodeGiven returns the major of Node that the plan brings, 0 when it is not known, and whether the base image decides.
func (r *repairs) nodeGiven() (major int, fixed bool) {
	for _, pkg := range r.native.nixPackages() {
		if named := nixNode.FindStringSubmatch(pkg); named != nil {
			major, _ = strconv.Atoi(named[1])
			return major, false
		}
	}
	major, _ = strconv.Atoi(r.overrides.NodeVersion)
	return major, true
}

// nearestMajor returns the newest major that a range allows, else the one that is nearest to it, of two the newer.
func nearestMajor(wish string) int {
	const newer = 60 // than every Node for a long time
	best, distance := 0, newer
	for _, major := range nodeMajors {
		for wished := range newer {
			if met, _, _ := majorRange(wish, wished); met && max(wished-major, major-wished) < distance {
				best, distance = major, max(wished-major, major-wished)
			}
		}
	}
	return best
}

// ignoreEngines keeps the package managers from refusing a Node that engines do not name: yarn 1 does by itself, the others where
// the repository's .npmrc says so.
func (r *repairs) ignoreEngines() {
	if strings.Contains(r.native.command("install"), "yarn") {
		r.setVariable("YARN_IGNORE_ENGINES", "true")
	}
	if strings.Contains(string(r.read(".npmrc")), "engine-strict") {
		r.setVariable("NPM_CONFIG_ENGINE_STRICT", "false")
	}
}
