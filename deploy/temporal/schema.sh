#!/bin/sh
# Makes Temporal's databases and brings their schemas up to date. Runs in the image temporalio/admin-tools, at each start:
# what is there already stays.
set -eu
SQL_PASSWORD=$(cat /run/platform/postgres_password)
export SQL_PASSWORD

# prepare DATABASE SCHEMA
prepare() {
	set -- "$2" temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user slipway --database "$1"
	schema=$1
	shift
	"$@" create
	"$@" setup-schema --version 0.0
	"$@" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$schema/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
