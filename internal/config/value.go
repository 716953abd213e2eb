package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// value writes a setting's text into its field. An error says what to give instead.
type value func(text string) error

// text takes any string that passes the checks.
func text(into *string, checks ...func(string) error) value {
	return func(s string) error {
		for _, check := range checks {
			if err := check(s); err != nil {
				return err
			}
		}
		*into = s
		return nil
	}
}

// oneOf takes one of the given words.
func oneOf(into *string, words ...string) value {
	return text(into, func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("give one of %s", strings.Join(words, ", "))
		}
		return nil
	})
}

// duration takes a positive length of time.
func duration(into *time.Duration) value {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return errors.New("give a length of time above zero, such as 500ms, 15s, 10m or 2h")
		}
		*into = d
		return nil
	}
}

const forever = "forever"

// lasting takes a positive length of time, or forever, which is 0.
func lasting(into *time.Duration) value {
	return func(s string) error {
		if s == forever || s == "0" {
			*into = 0
			return nil
		}
		if err := duration(into)(s); err != nil {
			return fmt.Errorf("%w, or forever", err)
		}
		return nil
	}
}

// number takes a whole number from lowest to highest.
func number[T int | int32](into *T, lowest, highest T) value {
	return func(s string) error {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || T(n) < lowest || T(n) > highest {
			return fmt.Errorf("give a whole number from %d to %d", lowest, highest)
		}
		*into = T(n)
		return nil
	}
}

// decimal takes 0 or a number from lowest to highest.
func decimal(into *float64, lowest, highest float64) value {
	return func(s string) error {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || n != 0 && !(n >= lowest && n <= highest) {
			return fmt.Errorf("give 0, or a number from %g to %g such as 1.5", lowest, highest)
		}
		*into = n
		return nil
	}
}

// size takes a number of bytes, of lowest at least. A unit is a power of 1024, as in Docker's and buildkitd's own settings.
func size(into *int64, lowest int64) value {
	return func(s string) error {
		n, err := units.RAMInBytes(s)
		if err != nil || n < lowest {
			return fmt.Errorf("give a size of at least %s, such as 20GB", strings.ReplaceAll(units.BytesSize(float64(lowest)), "iB", "B"))
		}
		*into = n
		return nil
	}
}

// yesNo takes true or false.
func yesNo(into *bool) value {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("give true or false")
		}
		*into = b
		return nil
	}
}

// folders takes a list of absolute paths, comma-separated, which may be empty.
func folders(into *[]string) value {
	return func(s string) error {
		list := split(s)
		for _, one := range list {
			if !filepath.IsAbs(one) {
				return fmt.Errorf("%q is no absolute path: give such as /var/lib/docker, separated by commas", one)
			}
		}
		*into = list
		return nil
	}
}

// level takes the lowest level that is logged.
func level(into *slog.Level) value {
	return func(s string) error {
		if err := into.UnmarshalText([]byte(s)); err != nil {
			return errors.New("give debug, info, warn or error")
		}
		return nil
	}
}

// words takes a list of allowed words, comma-separated, at least one.
func words(into *[]string, allowed ...string) value {
	return func(s string) error {
		list := split(s)
		bad := slices.ContainsFunc(list, func(w string) bool { return !slices.Contains(allowed, w) })
		if len(list) == 0 || bad {
			return fmt.Errorf("give one or more of %s, separated by commas", strings.Join(allowed, ", "))
		}
		*into = list
		return nil
	}
}

// network takes an IPv4 network of at least 2^(32-bits) addresses.
func network(into *netip.Prefix, bits int) value {
	return func(s string) error {
		p, err := netip.ParsePrefix(s)
		if err != nil || !p.Addr().Is4() || p != p.Masked() || p.Bits() > bits {
			return fmt.Errorf("give an IPv4 network of /%d or larger, such as 10.213.0.0/16", bits)
		}
		*into = p
		return nil
	}
}

// ipv4 refuses other networks.
func ipv4(p netip.Prefix) error {
	if !p.Addr().Is4() {
		return errors.New("give IPv4 networks: build steps have no other addresses")
	}
	return nil
}

// networks takes a list of networks that pass the checks, comma-separated, which may be empty.
func networks(into *[]netip.Prefix, checks ...func(netip.Prefix) error) value {
	return func(s string) error {
		var list []netip.Prefix
		for _, one := range split(s) {
			p, err := netip.ParsePrefix(one)
			if err != nil || p != p.Masked() {
				return fmt.Errorf("%q is no network: give CIDRs such as 192.168.0.0/16, separated by commas", one)
			}
			for _, check := range checks {
				if err := check(p); err != nil {
					return fmt.Errorf("%q: %w", one, err)
				}
			}
			list = append(list, p)
		}
		*into = list
		return nil
	}
}

// services takes a list of IPv4 addresses with ports, comma-separated, which may be empty.
func services(into *[]netip.AddrPort) value {
	return func(s string) error {
		var list []netip.AddrPort
		for _, one := range split(s) {
			a, err := netip.ParseAddrPort(one)
			if err != nil || !a.Addr().Is4() || a.Port() == 0 {
				return fmt.Errorf("%q is no service: give an IPv4 address and a port such as 192.168.1.10:5432, separated by commas", one)
			}
			list = append(list, a)
		}
		*into = list
		return nil
	}
}

// origins takes a list of web origins, comma-separated, which may be empty.
func origins(into *[]string) value {
	return func(s string) error {
		list := split(s)
		for _, one := range list {
			u, err := url.Parse(one)
			if webURL(one) != nil || err != nil || one != u.Scheme+"://"+u.Host {
				return fmt.Errorf("%q is no origin: give scheme and host alone, such as https://temporal.example.com", one)
			}
		}
		*into = list
		return nil
	}
}

// hostPorts takes a list of host:port, comma-separated, which may be empty.
func hostPorts(into *[]string) value {
	return func(s string) error {
		list := split(s)
		for _, one := range list {
			if hostPort(one) != nil {
				return fmt.Errorf("%q is no address: give host:port such as 192.0.2.53:53, separated by commas", one)
			}
		}
		*into = list
		return nil
	}
}

// split cuts a comma-separated list and leaves empty parts out.
func split(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
