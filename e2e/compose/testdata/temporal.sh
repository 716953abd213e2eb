#!/bin/sh
# The embedded server serves loopback only; what comes from outside is handed on to it. The file has given the password by now.
set -eu
: "${POSTGRES_PWD:?}" "${DYNAMIC_CONFIG_FILE_PATH:?}"
test -s "$DYNAMIC_CONFIG_FILE_PATH"
socat "TCP-LISTEN:8080,fork,reuseaddr" TCP:127.0.0.1:18080 &
address=$(hostname -i)
socat "TCP-LISTEN:7233,bind=$address,fork,reuseaddr" TCP:127.0.0.1:7233 &
exec slipway-temporal --data /tmp/temporal.db --addr 127.0.0.1:7233 --ui-addr 127.0.0.1:18080
