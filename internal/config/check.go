package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
)

// given refuses an empty value.
func given(s string) error {
	if s == "" {
		return errors.New("give a value, there is no default")
	}
	return nil
}

// optional applies check to what is not empty.
func optional(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

// hostPort takes host:port.
func hostPort(s string) error {
	_, port, err := net.SplitHostPort(s)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 1 || n > 65535 {
		return errors.New("give host:port, such as 127.0.0.1:8080")
	}
	return nil
}

// loopback takes host:port of this machine alone: what slipway-dev serves is not meant for a network.
func loopback(s string) error {
	if err := hostPort(s); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(s) // hostPort has checked it
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("slipway-dev listens on loopback only: give 127.0.0.1 and a port")
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// domain takes a DNS name in lower case, without a dot at the end. Host names of previews put a label of up to 63
// characters before it.
func domain(s string) error {
	if len(s) > 253-64 || !domainPattern.MatchString(s) {
		return errors.New("give a domain in lower case, such as preview.example.com")
	}
	return nil
}

// webURL takes the base of a web site.
func webURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return errors.New("give an http or https URL, such as https://temporal.example.com")
	}
	return nil
}

// postgresURL takes a connection URL; the answer does not repeat it, it holds a password.
func postgresURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Path == "" {
		return errors.New("give a URL such as postgres://user:password@host:5432/slipway")
	}
	return nil
}

// dockerHost takes the address of an engine.
func dockerHost(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "unix" && u.Scheme != "tcp" && u.Scheme != "ssh" {
		return errors.New("give an address such as unix:///var/run/docker.sock or tcp://host:2376")
	}
	return nil
}

// builders takes addresses of buildkitds, comma-separated.
func builders(into *[]string) value {
	return func(s string) error {
		list := split(s)
		for i, one := range list {
			if err := buildkitAddr(one); err != nil {
				return err
			}
			if slices.Contains(list[:i], one) {
				return fmt.Errorf("%q is given twice: give each once", one)
			}
		}
		*into = list
		return nil
	}
}

// someBuilders takes one at least.
func someBuilders(into *[]string) value {
	return func(s string) error {
		if len(split(s)) == 0 {
			return buildkitAddr(s)
		}
		return builders(into)(s)
	}
}

// buildkitAddr takes the address of a buildkitd.
func buildkitAddr(s string) error {
	u, err := url.Parse(s)
	if err == nil {
		switch u.Scheme {
		case "unix", "tcp", "docker-container", "kube-pod":
			return nil
		}
	}
	return errors.New("give an address such as unix:///run/buildkit/buildkitd.sock, tcp://host:1234 or docker-container://name")
}

var (
	interfacePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)
	hostIDPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
	kmsKeyPattern    = regexp.MustCompile(`^aws-kms://arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+$`)
	namespacePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{1,62}$`)
)

// matching takes what pattern matches.
func matching(pattern *regexp.Regexp, fix string) func(string) error {
	return func(s string) error {
		if !pattern.MatchString(s) {
			return errors.New(fix)
		}
		return nil
	}
}
