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
set -euo pipefail

module=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SLIPWAY_CACHE:-$HOME/.cache/slipway}
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
