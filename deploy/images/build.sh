#!/bin/bash
# Makes slipway's base images from Debian's packages, for machines that reach Debian's mirrors but no image registry.
#
#   build.sh [-d DIR] [NAME...]      as root; all images when no NAME is given
#
# Each image becomes DIR/<name>-<hash>.tar.gz (its one layer) and DIR/<name>-<hash>.json (its name and configuration);
# `slipway-dev` imports them into its registry at start. The hash covers everything that the image is made from, so a
# second run does nothing, and an old image is removed when its successor stands. DIR is images in SLIPWAY_CACHE
# (~/.cache/slipway).
#
# What is taken from this machine: its Debian mirror (or SLIPWAY_DEBIAN_MIRROR and SLIPWAY_DEBIAN_SECURITY_MIRROR), an apt
# source whose file name contains "node" with its keyring and pins, and certificate authorities beyond Debian's own.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite=bookworm
dir=${SLIPWAY_CACHE:-$HOME/.cache/slipway}/images
while getopts d: flag; do
	case $flag in
	d) dir=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- "library/debian:$suite" "library/debian:$suite-slim" "slipway/base:$suite" "slipway/static:$suite"

say() { printf 'images: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}

[ "$(id -u)" = 0 ] || die "mmdebstrap makes device nodes and mounts: run this as root"
command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap"
command -v jq >/dev/null || die "jq is missing: apt-get install jq"
work=$(mktemp -d)
trap 'rm -rf "$work"; rm -f "$dir"/*.part.$$' EXIT

# mirror CODENAME prints the URI that this machine's apt takes Debian's release from.
mirrors=$(apt-get indextargets --format '$(CODENAME) $(ORIGIN) $(REPO_URI)' 'Created-By: Packages')
mirror() { awk -v c="$1" '$1 == c && $2 == "Debian" { print $3; exit }' <<<"$mirrors"; }

# source_of URI SUITES prints an apt source in deb822 form.
source_of() {
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n' "$1" "$2"
}

# certificates FILE... prints one line per certificate: its base64 body.
certificates() {
	cat "$@" 2>/dev/null | awk '/-BEGIN CERT/ { body = ""; on = 1; next } /-END CERT/ { print body; on = 0 } on { body = body $0 }' | sort -u
}

# host_authorities writes each certificate that this machine trusts beyond Debian's own into a file of its own. They are
# there where a company's proxy signs TLS anew; without them no package registry would be trusted inside an image.
host_authorities() {
	local body n=0
	mkdir -p "$work/authorities"
	while read -r body; do
		n=$((n + 1))
		{
			echo "-----BEGIN CERTIFICATE-----"
			fold -w 64 <<<"$body"
			echo "-----END CERTIFICATE-----"
		} >"$work/authorities/host-$n.crt"
	done < <(comm -23 <(certificates /etc/ssl/certs/ca-certificates.crt) <(certificates /usr/share/ca-certificates/*/*.crt))
	[ "$n" = 0 ] || cp /etc/ssl/certs/ca-certificates.crt "$work/bundle.crt"
}

# debian_sources prints the image's own list of apt sources; with-backports adds those of later releases.
debian_sources() {
	local main=${SLIPWAY_DEBIAN_MIRROR:-$(mirror "$suite")} security=${SLIPWAY_DEBIAN_SECURITY_MIRROR:-$(mirror "$suite-security")}
	[ -n "$main" ] || die "this machine's apt has no source for $suite: set SLIPWAY_DEBIAN_MIRROR"
	source_of "$main" "$suite $suite-updates"
	[ -z "$security" ] || source_of "$security" "$suite-security"
	[ "$1" != with-backports ] || source_of "$main" "$suite-backports"
}

# node_files and node_sources list what this machine's apt has for a nodejs of a third party.
node_files() {
	find /etc/apt/sources.list.d /etc/apt/preferences.d /usr/share/keyrings /etc/apt/keyrings -name '*node*' \
		\( -name '*.sources' -o -name '*.list' -o -name '*.gpg' -o -name '*.asc' -o -path '*/preferences.d/*' \) 2>/dev/null | sort
}

node_sources() { node_files | grep -E '\.(sources|list)$' || true; }

. "$here/recipes.sh"

# make_layer FILE writes the root file system as a gzipped tar, and the digest of the plain one (the layer's diff id) to
# $work/diff. Level 1, because the layer crosses a loopback only and the CPU is what a first start waits for.
make_layer() {
	local out=$1
	rm -f "$work/diff"
	SOURCE_DATE_EPOCH=0 mmdebstrap --quiet --mode=root --format=tar "${options[@]}" "$suite" - "$work/sources" |
		tee >(sha256sum | cut -d' ' -f1 >"$work/diff") | gzip -1n >"$out"
	while [ ! -s "$work/diff" ]; do sleep 0.05; done # the process substitution may end after the pipe
}

# ingredients prints everything that the present recipe makes its image from.
ingredients() {
	printf '%s\n' "$name" "${options[@]//$work/}" "$env" "$shell" "$cmd"
	cat "$work/sources"
	find "$work/authorities" -type f | sort | xargs --no-run-if-empty cat
	declare -f make_layer describe
}

# build NAME makes one image unless it is there.
build() {
	local name=$1 stem hash target begin=$SECONDS
	recipe "$name"
	hash=$(ingredients | sha256sum | cut -c1-16)
	stem=$(tr '/:' '--' <<<"$name")
	target=$dir/$stem-$hash
	exec 9>"$dir/.$stem.lock"
	flock 9
	if [ -f "$target.json" ]; then
		return
	fi
	say "$name: making it from packages of $suite"
	make_layer "$target.tar.gz.part.$$"
	mv "$target.tar.gz.part.$$" "$target.tar.gz"
	describe "$name" "sha256:$(cat "$work/diff")" "$(basename "$target.tar.gz")" "sha256:$(sha256sum "$target.tar.gz" | cut -d' ' -f1)" >"$target.json.part.$$"
	mv "$target.json.part.$$" "$target.json" # last: it says that the image is whole
	find "$dir" -maxdepth 1 -name "$stem-????????????????.*" ! -name "$stem-$hash.*" -delete
	say "$name: $(du -h "$target.tar.gz" | cut -f1) in $((SECONDS - begin)) s"
}

mkdir -p "$dir"
host_authorities
for name in "$@"; do
	build "$name"
	exec 9>&-
done
