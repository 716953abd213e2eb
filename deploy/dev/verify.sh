#!/usr/bin/env bash
# Fails when `make generate` would change a file. It works on a copy of what git tracks or would track, as it is in the
# working tree, so nothing changes here and nothing needs to be committed first.
set -euo pipefail
cd "$(dirname "$0")/../.."
git rev-parse --is-inside-work-tree >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
comm -z -23 <(git ls-files -z --cached --others --exclude-standard | sort -zu) <(git ls-files -z --deleted | sort -zu) |
	xargs -0 cp --no-dereference --parents --target-directory "$work/tree" --

checksums() { (cd "$work/tree" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

checksums >"$work/before"
make -C "$work/tree" generate >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	echo "error: 'make generate' does not work" >&2
	exit 1
}
checksums >"$work/after"
stale=$({ diff "$work/before" "$work/after" || true; } | sed -nE 's/^[<>] [0-9a-f]+ [ *]\.\///p' | sort -u)
if [ -n "$stale" ]; then
	while IFS= read -r file; do echo "stale: $file" >&2; done <<<"$stale"
	echo "fix: run 'make generate' and commit what it writes" >&2
	exit 1
fi
