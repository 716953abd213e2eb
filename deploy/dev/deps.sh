#!/usr/bin/env bash
# Installs what slipway needs and the machine lacks: Debian packages, the nixpacks CLI, and a running Docker engine.
# Runs as often as you like; what is there is left alone, and then it is silent but for one line.
#
#   deps.sh            everything
#   deps.sh packages   only the Debian packages
set -euo pipefail

cache=${SLIPWAY_CACHE:-$HOME/.cache/slipway}
nixpacks_version=1.41.0
mkdir -p "$cache/bin" "$cache/log"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() {
	printf 'error: %s\n' "$1" >&2
	shift
	for line in "$@"; do printf '  %s\n' "$line" >&2; done
	exit 1
}

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

# missing_packages names the Debian packages whose command or file is missing.
missing_packages() {
	have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
	have dockerd || echo docker.io
	have runc || echo runc
	[ -x /usr/lib/cni/bridge ] || echo containernetworking-plugins
	compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || have postgres || echo postgresql
	have mmdebstrap || echo mmdebstrap
	have iptables || echo iptables
	have git || echo git
	have sshd || echo openssh-server
	have curl || echo curl
	have jq || echo jq
	have systemd-analyze || echo systemd # checks the units of deploy/systemd; it need not run
	[ -s /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
}

install_packages() {
	local missing
	missing=$(missing_packages | sort -u | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || fail "these programs are missing: $missing" \
		"tried: apt-get, which this machine does not have" "fix: install them with your package manager, then run make again"
	[ -z "$sudo" ] || command -v sudo >/dev/null || fail "these packages are missing: $missing" \
		"tried: to install them, but you are not root and there is no sudo" "fix: run as root, once: apt-get install $missing"
	say "installing Debian packages: $missing"
	# Postgres' package would start a cluster of its own on the standard port, which nobody asked for.
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		$sudo mkdir -p /etc/postgresql-common
		echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
	fi
	# The tests start an sshd of their own. A server on port 22 is for the machine's owner to want: this file keeps the
	# package from running one, now and at every boot.
	if [[ " $missing" == *" openssh-server "* ]]; then
		$sudo mkdir -p /etc/ssh
		$sudo touch /etc/ssh/sshd_not_to_be_run
	fi
	$sudo apt-get update -qq || fail "apt-get update did not work" "fix: check the network and /etc/apt, then run make again"
	# shellcheck disable=SC2086 # the list is words
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$cache/log/apt.log" 2>&1 </dev/null ||
		fail "apt-get install $missing did not work; the end of its log:" "$(tail -n 5 "$cache/log/apt.log")" \
			"fix: run it by hand, then run make again"
}

# install_nixpacks takes what is on PATH, else the project's release, else builds it from its crate.
install_nixpacks() {
	local want="nixpacks $nixpacks_version" here=$cache/bin/nixpacks
	for candidate in "$here" nixpacks; do
		if [ "$("$candidate" --version 2>/dev/null)" = "$want" ]; then
			[ "$candidate" = "$here" ] || ln -sf "$(command -v nixpacks)" "$here"
			return 0
		fi
	done
	say "getting nixpacks $nixpacks_version"
	local arch url work
	arch=$(uname -m)
	url="https://github.com/railwayapp/nixpacks/releases/download/v$nixpacks_version/nixpacks-v$nixpacks_version-$arch-unknown-linux-musl.tar.gz"
	work=$(mktemp -d)
	if command -v curl >/dev/null && curl -fsSL --connect-timeout 5 --max-time 120 "$url" 2>"$work/error" | tar -xz -C "$work" 2>/dev/null &&
		[ "$("$work/nixpacks" --version 2>/dev/null)" = "$want" ]; then
		install -m 0755 "$work/nixpacks" "$here"
		rm -rf "$work"
		return 0
	fi
	rm -rf "$work"
	local cargo
	cargo=$(command -v cargo || true)
	[ -n "$cargo" ] || [ ! -x "$HOME/.cargo/bin/cargo" ] || cargo=$HOME/.cargo/bin/cargo
	[ -n "$cargo" ] || fail "nixpacks $nixpacks_version is missing" "tried: PATH, the release at $url, cargo (not installed)" \
		"fix: put nixpacks $nixpacks_version on PATH, or install Rust (rustup) and run make again"
	say "the release cannot be reached; building nixpacks with cargo (about 6 minutes, once)"
	"$cargo" install nixpacks --version "$nixpacks_version" --locked --root "$cache/nixpacks-$nixpacks_version" >"$cache/log/nixpacks.log" 2>&1 </dev/null ||
		fail "cargo install nixpacks did not work; the end of its log:" "$(tail -n 5 "$cache/log/nixpacks.log")" \
			"fix: run 'cargo install nixpacks --version $nixpacks_version --locked' by hand"
	ln -sf "$cache/nixpacks-$nixpacks_version/bin/nixpacks" "$here"
}

# docker_answers asks as root, who runs slipway: the socket may be closed to who you are.
docker_answers() {
	local socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
	case $socket in
	unix://*) [ -S "${socket#unix://}" ] && $sudo curl -fsS --max-time 5 --unix-socket "${socket#unix://}" http://docker/_ping >/dev/null 2>&1 ;;
	*) return 0 ;; # a remote engine is the operator's own business
	esac
}

# start_docker starts the engine with the service manager where one runs, else directly. What it starts itself it notes
# with pid and start time, so that `make down` stops that and nothing else.
start_docker() {
	docker_answers && return 0
	if [ -d /run/systemd/system ]; then
		say "starting the Docker engine (systemctl start docker)"
		$sudo systemctl start docker || fail "the Docker engine did not start" "fix: look at 'journalctl -u docker'"
	else
		say "starting the Docker engine (dockerd, no service manager runs here)"
		$sudo sh -c "setsid dockerd --pidfile /run/slipway-dockerd.pid >'$cache/log/dockerd.log' 2>&1 </dev/null &"
	fi
	local _
	for _ in $(seq 1 60); do
		if docker_answers; then
			if [ -s /run/slipway-dockerd.pid ]; then
				awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$(cat /run/slipway-dockerd.pid)/stat" | $sudo tee /run/slipway-dockerd.start >/dev/null
			fi
			return 0
		fi
		sleep 0.5
	done
	fail "the Docker engine does not answer after 30 s; the end of its log:" "$(tail -n 5 "$cache/log/dockerd.log" 2>/dev/null)" \
		"fix: start dockerd by hand, or set DOCKER_HOST to one that runs"
}

install_packages
[ "${1:-}" = packages ] && exit 0
install_nixpacks
start_docker
