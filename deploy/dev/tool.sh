#!/usr/bin/env bash
# Builds the programs of a tools module, once per content of its go.sum, and prints the folder that holds them.
#
#   tool.sh lint           golangci-lint, gofumpt, workflowcheck
#   tool.sh sqlc           sqlc
#   tool.sh oapi-codegen   oapi-codegen
#   tool.sh buildkitd      buildkitd
#   tool.sh buildctl       buildctl
#   tool.sh tctl           tctl, Temporal's former command line
#   tool.sh temporal       temporal, its command line now
#   tool.sh local-kms      local-kms, a server with the API of AWS KMS
#   tool.sh compose        docker-compose
#   tool.sh gvisor         runsc, gVisor's container runtime
#
# and of Debian's packages, which are unpacked there: nothing is installed, and no service started.
#
#   tool.sh knot           knotd, a name server
set -euo pipefail

module=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SLIPWAY_CACHE:-$HOME/.cache/slipway}

# unpack gets a package with the libraries that the machine lacks, and makes a command of one of its programs, that finds them.
unpack() {
	local package=$1 program=$2 out sudo= work
	out=$cache/tools/$package-$(. /etc/os-release && echo "$ID-${VERSION_ID:-}")-$(uname -m)
	if [ ! -x "$out/$(basename "$program")" ]; then
		[ "$(id -u)" = 0 ] || sudo=sudo
		printf '\033[1m==>\033[0m unpacking %s (once)\n' "$package" >&2
		mkdir -p "$cache/tools"
		work=$(mktemp -d "$cache/tools/.$package-XXXXXX")
		chmod 755 "$work"
		mkdir -p "$work/archives/partial"
		get() { $sudo apt-get install -qq -y --no-install-recommends --download-only -o Dir::Cache::archives="$work/archives" "$package" >"$work/log" 2>&1 </dev/null; }
		get || { $sudo apt-get update -qq >&2 && get; } || {
			printf 'error: %s is missing\n  tried: apt-get install --download-only %s\n  %s\n' "$package" "$package" "$(tail -n 1 "$work/log")" >&2
			rm -rf "$work"
			exit 1
		}
		for archive in "$work"/archives/*.deb; do dpkg -x "$archive" "$work/root"; done
		printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$out/root/usr/lib/$(uname -m)-linux-gnu" "$out/root$program" >"$work/$(basename "$program")"
		chmod +x "$work/$(basename "$program")"
		$sudo rm -rf "$work/archives"
		mv -T "$work" "$out" 2>/dev/null || rm -rf "$work" # another was quicker
	fi
	echo "$out"
}

if [ "$module" = knot ]; then
	unpack knot /usr/sbin/knotd
	exit
fi

sum=$(cat "$root/tools/$module/go.mod" "$root/tools/$module/go.sum" | sha256sum | cut -c1-16)
out=$cache/tools/$module-$sum

if [ ! -e "$out/.complete" ]; then
	printf '\033[1m==>\033[0m building %s (once)\n' "$module" >&2
	mkdir -p "$out"
	case $module in
	buildkitd) (cd "$root/tools/$module" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/" github.com/moby/buildkit/cmd/buildkitd) ;;
	compose) (cd "$root/tools/$module" && CGO_ENABLED=0 go build -trimpath -o "$out/docker-compose" github.com/docker/compose/v2/cmd) ;;
	*) (cd "$root/tools/$module" && CGO_ENABLED=0 go build -trimpath -o "$out/" tool) ;;
	esac
	touch "$out/.complete"
fi
echo "$out"
