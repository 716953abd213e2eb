package docker

import (
	"encoding/binary"
	"hash/fnv"
	"iter"
	"net/netip"
)

// subnetBits is the size of a deployment's network: 13 addresses, enough for a run's container beside the one that it
// replaces. Docker's own pools hold about 31 networks in all, so previews get theirs from a pool of slipway's.
const subnetBits = 28

// subnets yields every network of the pool once, in an order that starts at a place of key's own: the same deployment
// asks for the same network on every attempt, and different ones seldom meet.
func subnets(pool netip.Prefix, key string) iter.Seq[netip.Prefix] {
	count := uint32(1) << (subnetBits - pool.Bits())
	first := binary.BigEndian.Uint32(pool.Addr().AsSlice())
	start := hash(key)
	return func(yield func(netip.Prefix) bool) {
		for i := range count {
			place := (start + i) % count
			if !yield(netip.PrefixFrom(offset(first, place<<(32-subnetBits)), subnetBits)) {
				return
			}
		}
	}
}

// addresses yields the addresses of a subnet that a container may have, in an order that starts at a place of key's own:
// all but the network's, the gateway's (the first) and the broadcast address.
func addresses(subnet netip.Prefix, key string) iter.Seq[netip.Addr] {
	first := binary.BigEndian.Uint32(subnet.Addr().AsSlice())
	count := uint32(1)<<(32-subnet.Bits()) - 3
	start := hash(key)
	return func(yield func(netip.Addr) bool) {
		for i := range count {
			if !yield(offset(first, 2+(start+i)%count)) {
				return
			}
		}
	}
}

func offset(base, by uint32) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], base+by)
	return netip.AddrFrom4(raw)
}

func hash(key string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(key))
	return h.Sum32() % (1 << 24) // room to add to without overflow
}
