#!/usr/bin/env bash
# Deploys an example on a slipway-dev of its own, with payload encryption on, and takes two pictures of the deploy in Temporal's Web UI,
# read through the codec endpoint: docs/web-ui.png and docs/web-ui-details.png. Needs what `make build` and `make deps` have made.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${SLIPWAY_CACHE:-$HOME/.cache/slipway}
out=${1:-docs}
fail() { printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2; exit 1; }

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if ! command -v chromium >/dev/null; then
	printf '==> installing chromium\n' >&2
	$sudo apt-get update -qq
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null ||
		fail "chromium cannot be installed" "install it by hand, then run make screenshot again"
fi

work=$(mktemp -d)
pid=
stop() {
	trap - EXIT
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	if [ -s "$work/data/installation" ]; then
		label=label=slipway.installation=$(cat "$work/data/installation")
		docker ps -aq --filter "$label" | xargs -r docker rm -f >/dev/null
		docker network ls -q --filter "$label" | xargs -r docker network rm >/dev/null
	fi
	rm -rf "$work"
}
trap stop EXIT

# Ports and networks of its own: it may run beside `make up` and the tests.
export SLIPWAY_DATA_DIR=$work/data SLIPWAY_API_ADDR=127.0.0.1:18480 SLIPWAY_GATEWAY_ADDR=127.0.0.1:18400
export SLIPWAY_UI_ADDR=127.0.0.1:18433 SLIPWAY_TEMPORAL_ADDR=127.0.0.1:18434 SLIPWAY_REGISTRY_ADDR=127.0.0.1:18450
export SLIPWAY_EXAMPLES_ADDR=127.0.0.1:18481 SLIPWAY_BUILD_BRIDGE=slipwayshot0 SLIPWAY_BUILD_SUBNET=10.217.0.0/16
export SLIPWAY_PREVIEW_SUBNETS=10.216.0.0/16 SLIPWAY_PLAN_OVERRIDES=$PWD/deploy/overrides/airgapped.yaml SLIPWAY_DOCKER_MIRROR=true
export SLIPWAY_IMAGES_DIR=$cache/images SLIPWAY_NIXPACKS=$cache/bin/nixpacks SLIPWAY_TEMPORAL_ENCRYPTION=true
export SLIPWAY_API_URL=http://$SLIPWAY_API_ADDR

bin/slipway-dev run >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 1 600); do
	curl -fs -o /dev/null "$SLIPWAY_API_URL/readyz" && break
	kill -0 "$pid" 2>/dev/null || { tail -n 20 "$work/log" >&2; fail "slipway-dev ended" "look at its log above"; }
	sleep 0.2
done
SLIPWAY_TOKEN=$(cat "$work/data/admin.token")
export SLIPWAY_TOKEN
bin/slipway projects create shop "http://$SLIPWAY_EXAMPLES_ADDR/node.git" >/dev/null
bin/slipway deploy shop --follow >"$work/deploy" 2>&1 || { tail -n 20 "$work/deploy" >&2; fail "the deploy did not become ready" "look at its log above"; }

page=$(curl -fs -H "Authorization: Bearer $SLIPWAY_TOKEN" "$SLIPWAY_API_URL/v1/deployments" | jq -r '.items[0] | .temporal_url + "/" + .run_id')

# picture FILE URL: the page draws itself after several requests; the budget is virtual time, which stands still while one is under way.
picture() {
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --user-data-dir="$work/chromium" --hide-scrollbars --window-size=1280,1100 \
		--virtual-time-budget=20000 --screenshot="$work/page.png" "$2" >"$work/chromium.log" 2>&1 ||
		{ tail -n 5 "$work/chromium.log" >&2; fail "chromium took no picture" "look at its words above"; }
	[ "$(stat -c %s "$work/page.png")" -lt 204800 ] || fail "the picture is larger than 200 kB" "make its window smaller"
	install -m 0644 "$work/page.png" "$1"
	printf '==> %s shows %s\n' "$1" "$2" >&2
}
picture "$out/web-ui.png" "$page/timeline"
picture "$out/web-ui-details.png" "$page/user-metadata"
