package source

import "net/netip"

// refusedNets are the networks that are not the public internet, or that reach hosts which trust their network: clouds
// serve credentials on link-local, unique-local and carrier-grade NAT addresses, Azure on 168.63.129.16.
var refusedNets = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// embedding networks carry an IPv4 address inside, from this byte on: NAT64 and 6to4.
var embedding = map[netip.Prefix]int{
	netip.MustParsePrefix("64:ff9b::/96"): 12,
	netip.MustParsePrefix("2002::/16"):    2,
}

func prefixes(texts ...string) []netip.Prefix {
	nets := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		nets[i] = netip.MustParsePrefix(text)
	}
	return nets
}

// public reports whether addr may be connected to: it is in one of the allowed networks, or neither it nor the IPv4
// address embedded in it is in a refused one.
func public(addr netip.Addr, allowed []netip.Prefix) bool {
	addr = addr.Unmap().WithZone("") // no prefix contains an address with a zone
	for _, net := range allowed {
		if net.Contains(addr) {
			return true
		}
	}
	for _, net := range refusedNets {
		if net.Contains(addr) {
			return false
		}
	}
	for net, offset := range embedding {
		if net.Contains(addr) {
			bytes := addr.As16()
			return public(netip.AddrFrom4([4]byte(bytes[offset:offset+4])), allowed)
		}
	}
	return addr.IsValid()
}
