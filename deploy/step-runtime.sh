#!/bin/sh
# Runs a build step: runc, with bounds of what the step may take (resources of the OCI runtime specification).
set -eu
limits='"memory":{"limit":4294967296,"swap":4294967296},"pids":{"limit":4096}'

bundle='' word=''
for argument; do
	[ "$word" != --bundle ] || bundle=$argument
	word=$argument
done
if [ -n "$bundle" ] && [ -n "$limits" ]; then
	sed -i "s/\"resources\":{\"devices\":/\"resources\":{$limits,\"devices\":/" "$bundle/config.json"
	grep -qF "\"resources\":{$limits," "$bundle/config.json" || {
		echo "step-runtime: no place for limits in $bundle/config.json" >&2
		exit 1
	}
fi
exec "$(command -v buildkit-runc || command -v runc)" "$@"
