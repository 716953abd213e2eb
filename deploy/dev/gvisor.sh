#!/usr/bin/env bash
# Runs the tests of previews' containers with gVisor's runsc as their runtime, on a Docker engine of its own that knows it.
set -euo pipefail
cd "$(dirname "$0")/../.."

runsc=$(deploy/dev/tool.sh gvisor)/runsc
root=$(mktemp -d)
engine=
end() {
	[ -z "$engine" ] || { kill "$engine" && wait "$engine" || true; }
	awk -v root="$root/" 'index($2, root) == 1 { print $2 }' /proc/mounts | xargs -r umount # that it leaves behind
	rm -rf "$root"
}
trap end EXIT

export DOCKER_HOST=unix://$root/docker.sock
# It leaves the machine's rules alone, and shares docker0 with the engine that is there: one that is told to have no bridge removes it.
echo "{}" >"$root/daemon.json" # nothing of the machine's own engine
dockerd --config-file "$root/daemon.json" --host "$DOCKER_HOST" --data-root "$root/data" --exec-root "$root/run" --pidfile "$root/pid" \
	--iptables=false --ip6tables=false --ip-masq=false --add-runtime "runsc=$runsc" >"$root/log" 2>&1 &
engine=$!
until docker version >/dev/null 2>&1; do
	kill -0 "$engine" || { cat "$root/log" >&2; exit 1; }
	sleep 0.2
done
go test ./internal/docker -count 1 -runtime runsc
