// Command gen writes the SQL that keeps the order of deployment statuses, from the one table in internal/deployment.
//
//	go run ./internal/postgres/gen > internal/postgres/migrations/NNNN_transitions.sql
//
// A migration that was released is never changed: a new table goes into a new file, which replaces the function.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func main() {
	if _, err := io.WriteString(os.Stdout, transitionsSQL()); err != nil {
		fmt.Fprintln(os.Stderr, "gen: write transitions:", err)
		os.Exit(1)
	}
}

const head = `-- Written by internal/postgres/gen from the table in internal/deployment/status.go; do not edit.

CREATE OR REPLACE FUNCTION deployment_may_become(old_status text, new_status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE old_status
`

const tail = `        ELSE false
    END
$$;

CREATE OR REPLACE FUNCTION keep_deployment_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT deployment_may_become(OLD.status, NEW.status) THEN
        RAISE EXCEPTION 'deployment %: status % cannot follow %', NEW.id, NEW.status, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deployments_status_order';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER keep_status BEFORE UPDATE OF status ON deployments
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION keep_deployment_status();
`

// transitionsSQL returns the migration: what may follow each status, and the trigger that refuses everything else.
func transitionsSQL() string {
	var sql strings.Builder
	sql.WriteString(head)
	for _, status := range deployment.Statuses() {
		next := status.Next()
		if len(next) == 0 {
			continue
		}
		quoted := make([]string, len(next))
		for i, n := range next {
			quoted[i] = "'" + string(n) + "'"
		}
		fmt.Fprintf(&sql, "        WHEN '%s' THEN new_status IN (%s)\n", status, strings.Join(quoted, ", "))
	}
	sql.WriteString(tail)
	return sql.String()
}
