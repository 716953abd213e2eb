#!/bin/sh
# Starts buildkitd in its container, once build steps are kept away from what is near: the networks that the container is on,
# with the registry (which asks for no password) and the host's own address there, the container itself, other builds, link-local
# addresses, where clouds keep credentials, and private networks but those of SLIPWAY_BUILD_PRIVATE_NETWORKS (CIDRs, separated by
# commas). The internet stays reachable, as packages come from there, and so do the resolvers. The bridge is that of buildkitd.toml.
set -eu
bridge=slipway0

rule() { iptables -w -t mangle -A PREROUTING -i "$bridge" "$@"; }
{
	sed -n 's/^ *nameserver *//p' /etc/resolv.conf
	sed -n 's/^ *nameservers *= *\[\(.*\)\].*/\1/p' /etc/slipway/buildkitd.toml | tr -d '" ' | tr ',' '\n'
} | while read -r server _; do
	case $server in
	127.* | *:*) ;; # steps are given neither
	*) for protocol in udp tcp; do rule -d "$server" -p "$protocol" --dport 53 -j ACCEPT; done ;;
	esac
done
rule -m addrtype --dst-type LOCAL -j DROP
rule -m addrtype --dst-type BROADCAST -j DROP
rule -m addrtype --dst-type MULTICAST -j DROP
rule -d 169.254.0.0/16 -j DROP
ip -4 route | while read -r network rest; do
	case $network in
	default) ;;
	*) rule -d "$network" -j DROP ;;
	esac
done
for network in $(echo "${SLIPWAY_BUILD_PRIVATE_NETWORKS:-}" | tr ',' ' '); do rule -d "$network" -j ACCEPT; done
for network in 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10; do rule -d "$network" -j DROP; done
[ ! -e /proc/net/if_inet6 ] || ip6tables -w -t mangle -A PREROUTING -i "$bridge" -j DROP

# Steps of two builds are on one bridge: the kernel shows frames between its ports to iptables with br_netfilter alone.
ip link add "$bridge" type bridge 2>/dev/null || [ -d "/sys/class/net/$bridge/bridge" ]
iptables -w -t mangle -A FORWARD -i "$bridge" -o "$bridge" -j DROP
call=/proc/sys/net/bridge/bridge-nf-call-iptables
[ ! -e "$call" ] || [ "$(cat "$call")" = 1 ] || echo 1 >"$call"
[ -e "$call" ] || echo "buildkitd: builds reach each other: load the host's kernel module br_netfilter" >&2

# What runs a step, with its limits, where buildkitd.toml names it.
install -m 0700 /etc/slipway/step-runtime.sh /var/lib/buildkit/step-runtime.sh

exec buildkitd "$@"
