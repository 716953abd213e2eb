#!/usr/bin/env bash
# The pipeline that slipway is compared with: the same tools, one after another, as a script would call them.
#
#   BUILDKIT_HOST=unix:///run/buildkitd.sock bench/bare.sh DIR
#
# DIR holds an app's settings, one a file:
#   repo        URL of its git repository
#   name        of its container, and of what nixpacks keeps from build to build
#   image       where to push: registry/name:tag
#   plan.json   what nixpacks merges into its plan (--json-plan); absent for an app with a Dockerfile
#   variables   the plan's variables, NAME=VALUE on each line, as nixpacks passes them to `docker build`
# and is given: times (a step and when it ended, on each line), build.log, run.log, and answer, what the app says.
# An earlier container of that name has to be gone. git, nixpacks, buildctl, docker and curl are on PATH.
set -euo pipefail

dir=$1
name=$(<"$dir/name")
image=$(<"$dir/image")
src=$(mktemp -d)
trap 'rm -rf "$src"' EXIT

ended() { echo "$1 $EPOCHREALTIME" >>"$dir/times"; }

echo "begin $EPOCHREALTIME" >"$dir/times"
git clone --quiet --depth 1 "$(<"$dir/repo")" "$src"
ended clone

dockerfile=$src
arguments=()
if [ ! -e "$src/Dockerfile" ]; then
	nixpacks build "$src" -o "$src" --cache-key "$name" --json-plan "$(<"$dir/plan.json")" >"$dir/build.log"
	dockerfile=$src/.nixpacks
	while read -r variable; do arguments+=(--opt "build-arg:$variable"); done <"$dir/variables"
	ended plan
fi

buildctl build --progress plain --frontend dockerfile.v0 --local "context=$src" --local "dockerfile=$dockerfile" "${arguments[@]}" \
	--output "type=image,name=$image,push=true" 2>"$dir/build.log"
ended build

docker run --detach --pull always --name "$name" --label slipway-bench --env PORT=3000 --publish 127.0.0.1::3000 "$image" >"$dir/run.log" 2>&1
ended run

address=$(docker port "$name" 3000)
until curl --fail --silent --output "$dir/answer" "http://$address/"; do sleep 0.05; done
ended answer
