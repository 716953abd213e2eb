#!/bin/sh
# As much of the official image's entrypoint as deploy/compose.yaml counts on.
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
	initdb --pgdata "$data" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --auth scram-sha-256 --auth-local trust --encoding UTF8
	postgres -D "$data" -c listen_addresses= &
	until pg_isready --quiet --username "$POSTGRES_USER" --dbname postgres; do sleep 0.1; done
	createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
	kill -INT $!
	wait $!
	echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
fi
exec postgres -D "$data" -c "listen_addresses=*"
