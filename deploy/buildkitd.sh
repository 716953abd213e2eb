#!/bin/sh
# Starts buildkitd in its container, once build steps are kept away from what is near: the networks that the container is on,
# with the registry (which asks for no password) and the host's own address there, the container itself, and link-local
# addresses, where clouds keep credentials. The internet stays reachable, as packages come from there. The bridge is that of
# buildkitd.toml.
set -eu
bridge=slipway0

drop() { iptables -w -t mangle -A PREROUTING -i "$bridge" "$@" -j DROP; }
drop -m addrtype --dst-type LOCAL
drop -d 169.254.0.0/16
ip -4 route | while read -r network rest; do
	case $network in
	default) ;;
	*) drop -d "$network" ;;
	esac
done
[ ! -e /proc/net/if_inet6 ] || ip6tables -w -t mangle -A PREROUTING -i "$bridge" -j DROP

exec buildkitd "$@"
