package isolation

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Previews are the containers on networks that are cut from one range.
type Previews struct {
	Pool      netip.Prefix     // IPv4; what comes from an address in it is a preview's
	Resolvers []netip.Addr     // of names, which previews may ask wherever they are
	Services  []netip.AddrPort // that previews may reach by TCP, on this machine too
	Networks  []netip.Prefix   // private ones that they may reach
}

// privateNetworks are closed unless some are opened.
var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"),
}

// cloud holds the addresses at which clouds give credentials away: link-local ones, and those of Azure (WireServer) and Oracle.
var cloud = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.0/24")}

// Isolate sets the rules, or sets them again, in one transaction: there is no moment without them. What previews answer is let
// through; what they begin reaches the internet, the resolvers, and what was opened; no service on any address of this machine,
// no other preview, no link-local address and no private network. They stand in a table of their own, which no order of other
// tools' rules gets around, before an address is translated: what Docker publishes is closed too.
func (p Previews) Isolate() error {
	conn, err := nftables.New()
	if err != nil {
		return p.failure(err)
	}
	table := conn.AddTable(p.table())
	conn.FlushTable(table)
	begun := conn.AddChain(&nftables.Chain{Table: table, Name: "begun-by-previews"})
	entry := conn.AddChain(&nftables.Chain{
		Table: table, Name: "prerouting", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: entry, Exprs: join(ipv4, from(p.Pool), unanswered, jump(begun.Name))})
	for _, exprs := range p.rules() {
		conn.AddRule(&nftables.Rule{Table: table, Chain: begun, Exprs: exprs})
	}
	return p.failure(conn.Flush())
}

// Remove takes the rules away; those that are not there are no error.
func (p Previews) Remove() error {
	conn, err := nftables.New()
	if err != nil {
		return p.failure(err)
	}
	conn.DelTable(conn.AddTable(p.table())) // what is to be deleted has to be there
	return p.failure(conn.Flush())
}

// table is named by the range, which belongs to one installation of a machine, whichever of its processes comes.
func (p Previews) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: "slipway-previews-" + strings.ReplaceAll(p.Pool.Masked().String(), "/", "-")}
}

// rules of what a preview begins. Their order says what an opened network does not open: this machine, link-local addresses and
// other previews.
func (p Previews) rules() []rule {
	var rules []rule
	for _, r := range p.Resolvers {
		rules = append(rules, join(to(host(r)), udp(53), accept), join(to(host(r)), tcp(53), accept))
	}
	for _, s := range p.Services {
		rules = append(rules, join(to(host(s.Addr())), tcp(s.Port()), accept))
	}
	for _, kind := range []uint32{local, broadcast, multicast} {
		rules = append(rules, join(toKind(kind), drop))
	}
	for _, closed := range append(slices.Clip(cloud), p.Pool) {
		rules = append(rules, join(to(closed), drop))
	}
	for _, open := range p.Networks {
		rules = append(rules, join(to(open), accept))
	}
	for _, closed := range privateNetworks {
		rules = append(rules, join(to(closed), drop))
	}
	return rules
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// failure says what an operator can do about it.
func (p Previews) failure(err error) error {
	if err == nil {
		return nil
	}
	fix := "load the kernel's modules nf_tables, nft_ct and nft_fib_inet, or set SLIPWAY_PREVIEW_ISOLATION=off"
	if errors.Is(err, fs.ErrPermission) {
		fix = "give the worker the capability CAP_NET_ADMIN in the network namespace of the Docker engine, or set SLIPWAY_PREVIEW_ISOLATION=off"
	}
	return deployment.PlatformFailure("preview.not_isolated", fix, "%w", fmt.Errorf("keep previews on %s away from this machine: %w", p.Pool, err))
}
