#!/bin/sh
# Serves /srv/www on PORT. As the container's first process a shell ignores SIGTERM unless it traps it.
set -eu

busybox httpd -f -p "0.0.0.0:${PORT:-8080}" -h /srv/www &
server=$!
trap 'kill "$server"' TERM INT
echo "dockerfile example listens on port ${PORT:-8080}"
wait "$server" || true
