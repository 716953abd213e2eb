package deployment

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxLabel is the longest DNS label (RFC 1035 §2.3.4).
const maxLabel = 63

// PreviewHost returns the host name that is a deployment's own for ever: 8 hex digits of its id. The last digits are
// taken because the first ones of a UUIDv7 are a clock and collide for deployments made in the same minute.
func PreviewHost(deploymentID, domain string) string {
	digits := strings.ReplaceAll(deploymentID, "-", "")
	if len(digits) > 8 {
		digits = digits[len(digits)-8:]
	}
	return strings.ToLower(digits) + "-preview." + domain
}

// EnvironmentHost returns the stable host name of an environment: <project>.<domain> for production, else
// <project>-<branch>-preview.<domain>. Other characters than letters, digits and hyphens become hyphens; a long name is
// cut and ends in a hash.
func EnvironmentHost(project, environment, domain string) string {
	name, suffix := environmentLabel(project, environment)
	label := hyphenate(name)
	if len(label)+len(suffix) > maxLabel {
		label = hashedLabel(name, suffix)
	}
	return label + suffix + "." + domain
}

// EnvironmentHostHashed returns the host name to use when another environment already has EnvironmentHost ("a/b" and
// "a-b" make the same label): it always ends in a hash of the original.
func EnvironmentHostHashed(project, environment, domain string) string {
	name, suffix := environmentLabel(project, environment)
	return hashedLabel(name, suffix) + suffix + "." + domain
}

func environmentLabel(project, environment string) (name, suffix string) {
	if environment == string(KindProduction) {
		return project, ""
	}
	return project + "-" + strings.TrimPrefix(environment, "branch/"), "-preview"
}

func hyphenate(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

func hashedLabel(name, suffix string) string {
	sum := sha256.Sum256([]byte(name))
	mark := "-" + hex.EncodeToString(sum[:4])
	label := hyphenate(name)
	if room := maxLabel - len(suffix) - len(mark); len(label) > room {
		label = strings.TrimRight(label[:room], "-")
	}
	return label + mark
}

// EnvironmentKindOf tells the kind of an environment from its name.
func EnvironmentKindOf(name string) EnvironmentKind {
	switch {
	case strings.HasPrefix(name, "pr/"):
		return KindPullRequest
	case name == string(KindProduction):
		return KindProduction
	default:
		return KindBranch
	}
}
