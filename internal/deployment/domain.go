package deployment

import (
	"regexp"
	"strings"
	"time"
)

// Domain is a host name of somebody's own that leads to what is live in an environment, from when they have shown in DNS that
// it is theirs.
type Domain struct {
	EnvironmentID   string
	EnvironmentHost string // the environment's stable host name, which the domain's CNAME names
	Name            string // lower case, ASCII, without a dot at the end
	Token           string // what the TXT record at ChallengeName holds
	CreatedAt       time.Time
	CheckedAt       *time.Time // when DNS was asked last; nil: never
	CheckError      string     // why that did not show it; empty when it did
	VerifiedAt      *time.Time // nil: it leads nowhere
}

// ChallengeName is the name of the TXT record that shows whose a domain is.
func ChallengeName(domain string) string { return "_slipway-challenge." + domain }

const maxDomain = 253 - len("_slipway-challenge.")

var (
	domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	lastOfAddress = regexp.MustCompile(`\.[0-9]+$`)
)

// CanBeDomain reports whether a host name has the form of a Domain's: two labels or more, and no address.
func CanBeDomain(name string) bool {
	return len(name) <= maxDomain && domainPattern.MatchString(name) && !lastOfAddress.MatchString(name)
}

// ValidateDomainName checks the name of a domain, in ASCII, that somebody wants to use besides those below the preview domain.
func ValidateDomainName(name, previewDomain string) *FieldError {
	switch {
	case strings.HasPrefix(name, "*."):
		return &FieldError{Field: "name", Fault: "is a wildcard", Fix: "give each name by itself, such as shop.example.com"}
	case !CanBeDomain(name):
		return &FieldError{Field: "name", Fault: "is no domain name", Fix: "give a name such as shop.example.com, without scheme, port and path"}
	case previewDomain != "" && (name == previewDomain || strings.HasSuffix(name, "."+previewDomain)):
		return &FieldError{
			Field: "name", Fault: "is " + previewDomain + " or below it, where slipway gives the names",
			Fix: "give a name of your own; environments have theirs below " + previewDomain + " already",
		}
	default:
		return nil
	}
}
