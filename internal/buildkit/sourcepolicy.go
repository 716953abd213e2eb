package buildkit

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	spb "github.com/moby/buildkit/sourcepolicy/pb"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// A source as the daemon names it, "scheme://user@host:port/path", up to its host and from there on. Only what these read
// without a doubt is let through, so it does not matter how many further ways of writing an address a resolver knows.
const (
	beforeHost = `(?i)^(?:https?|git|docker-image)://(?:[^/?#@\\]*@)?`
	afterHost  = `(?::[0-9]*)?(?:[/?#]|$)`
)

// The hosts that a build may name: a name with a dot whose last part is no number, or four decimal numbers.
const (
	dottedName   = `(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*\.?`
	dottedQuad   = `(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})`
	inwardName   = `(?:[a-z0-9_-]+\.)*(?:localhost|internal)\.?`
	inwardFirst  = `0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|100\.(?:6[4-9]|[789][0-9]|1[01][0-9]|12[0-7])|22[4-9]|2[3-9][0-9]`
	inwardNumber = `(?:` + inwardFirst + `)\.[0-9.]+`
)

// sourcePolicy says what the daemon itself may fetch for a build that is pushed to image. ADD, FROM and git sources are
// fetched by buildkitd from the host's own network, where Isolate does not reach; so hosts are refused that are named by a
// loopback, private, link-local, shared (CGNAT), unspecified or multicast address however it is written, by any IPv6
// address, by a name without a dot, or by one that ends in localhost or internal. The registry of image is let through, and so
// are registries that the operator has given a login for.
//
// It goes by what is written, because the daemon resolves names by itself. Not covered are: a public name that resolves
// inward, a redirect that leads inward (of HTTP, or to a registry's token server), submodules of a git repository, the
// host's own public address, and for git over ssh the one greeting that asks a host for its keys before any policy.
func sourcePolicy(image string, logins deployment.RegistryLogins) *spb.Policy {
	registry, _, _ := strings.Cut(image, "/")
	rule := func(action spb.PolicyAction, pattern string) *spb.Rule {
		return &spb.Rule{Action: action, Selector: &spb.Selector{Identifier: pattern, MatchType: spb.MatchType_REGEX}}
	}
	rules := []*spb.Rule{ // the last rule that matches decides
		rule(spb.PolicyAction_DENY, `(?i)^(?:https?|git|docker-image)`),
		rule(spb.PolicyAction_ALLOW, beforeHost+`(?:`+dottedName+`|`+dottedQuad+`)`+afterHost),
		rule(spb.PolicyAction_DENY, beforeHost+`(?:`+inwardName+`|`+inwardNumber+`)`+afterHost),
		rule(spb.PolicyAction_ALLOW, `^docker-image://`+regexp.QuoteMeta(registry)+`/`),
	}
	for _, host := range slices.Sorted(maps.Keys(logins)) {
		rules = append(rules, rule(spb.PolicyAction_ALLOW, `^docker-image://`+regexp.QuoteMeta(host)+`/`))
	}
	return &spb.Policy{Version: 1, Rules: rules}
}
