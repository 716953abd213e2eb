package isolation

import (
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule is what a packet has to be, and what becomes of it then.
type rule = []expr.Any

func join(parts ...rule) rule { return slices.Concat(parts...) }

// register holds what is compared.
const register = 1

// Kinds of addresses (RTN_* of linux/rtnetlink.h).
const (
	local     = uint32(unix.RTN_LOCAL)
	broadcast = uint32(unix.RTN_BROADCAST)
	multicast = uint32(unix.RTN_MULTICAST)
)

var (
	accept = rule{&expr.Verdict{Kind: expr.VerdictAccept}}
	drop   = rule{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}} // counted, for `nft list ruleset`

	ipv4 = rule{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{unix.NFPROTO_IPV4}},
	}
	// unanswered is a packet that belongs to nothing which was begun elsewhere, or was let through before.
	unanswered = rule{
		&expr.Ct{Key: expr.CtKeySTATE, Register: register},
		masked(binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)),
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: make([]byte, 4)},
	}
)

func jump(chain string) rule { return rule{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}} }

// Offsets of addresses in an IPv4 header (RFC 791 §3.1).
const (
	sourceOffset      = 12
	destinationOffset = 16
)

func from(p netip.Prefix) rule { return within(p, sourceOffset) }
func to(p netip.Prefix) rule   { return within(p, destinationOffset) }

func within(p netip.Prefix, offset uint32) rule {
	return rule{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		masked(net.CIDRMask(p.Bits(), 32)),
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: p.Masked().Addr().AsSlice()},
	}
}

func masked(mask []byte) *expr.Bitwise {
	return &expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: mask, Xor: make([]byte, 4)}
}

// toKind is a packet to an address that the kernel's routes have as such a kind.
func toKind(kind uint32) rule {
	return rule{
		&expr.Fib{Register: register, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.NativeEndian.PutUint32(kind)},
	}
}

func tcp(port uint16) rule { return transport(unix.IPPROTO_TCP, port) }
func udp(port uint16) rule { return transport(unix.IPPROTO_UDP, port) }

// transport is a packet to a port, whose offset is the same in both protocols' headers.
func transport(protocol byte, port uint16) rule {
	return rule{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{protocol}},
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
	}
}
