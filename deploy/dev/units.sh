#!/usr/bin/env bash
# Fails when systemd would not take a unit of deploy/systemd, or when one that could do with less may do too much. systemd need
# not run: the units are checked in a folder beside the system's own, with programs in their places that do nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/etc/systemd/system "$root"/usr/lib/systemd
cp -r /usr/lib/systemd/system "$root"/usr/lib/systemd/
cp deploy/systemd/*.service "$root"/etc/systemd/system/
for program in /usr/local/bin/slipway /usr/bin/docker /bin/sh; do install -D -m 0755 /dev/null "$root$program"; done

# What it cannot read it only mentions.
if ! systemd-analyze verify --root="$root" "$root"/etc/systemd/system/*.service >"$root/verified" 2>&1 || grep -q slipway "$root/verified"; then
	cat "$root/verified" >&2
	exit 1
fi
for role in migrate api gateway worker; do
	# The threshold is ten times what the report calls exposure; 25 is within its "OK".
	systemd-analyze security --offline=yes --root="$root" --threshold=25 --no-pager "slipway-$role.service" >"$root/report" || {
		cat "$root/report" >&2
		echo "error: slipway-$role.service may do more than it needs" >&2
		exit 1
	}
done
