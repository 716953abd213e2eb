package planner_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRepair_GoMain(t *testing.T) {
	t.Parallel()
	const (
		module  = "module example.com/team/shop\n\ngo 1.22\n"
		main    = "package main\n\nfunc main() {}\n"
		serves  = "package main\n\nimport \"net/http\"\n\nfunc main() { http.ListenAndServe(\":3000\", nil) }\n"
		library = "package shop\n"
	)
	off := deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}
	tests := map[string]struct {
		files   map[string]string
		project deployment.Project
		build   string
		start   string
		at      string // empty when nothing is repaired
	}{
		"one by its name":          {map[string]string{"go.mod": module, "cmd/migrate/main.go": main, "cmd/server/main.go": main}, deployment.Project{}, "go build -o out ./cmd/server", "./out", "cmd/server/main.go:3"},
		"the module's name":        {map[string]string{"go.mod": module, "cmd/api/main.go": main, "cmd/shop/main.go": main}, deployment.Project{}, "go build -o out ./cmd/shop", "./out", "cmd/shop/main.go:3"},
		"the one that listens":     {map[string]string{"go.mod": module, "cmd/a/main.go": main, "cmd/b/main.go": serves}, deployment.Project{}, "go build -o out ./cmd/b", "./out", "cmd/b/main.go:5"},
		"beside a library":         {map[string]string{"go.mod": module, "shop.go": library, "cmd/server/main.go": main}, deployment.Project{}, "go build -o out ./cmd/server", "./out", "cmd/server/main.go:3"},
		"in another folder":        {map[string]string{"go.mod": module, "backend/main.go": serves}, deployment.Project{}, "go build -o out ./backend", "./out", "backend/main.go:5"},
		"no module":                {map[string]string{"main.go": serves, "more.go": "package main\n"}, deployment.Project{}, "go mod init app && go mod tidy && go build -mod=mod -o out", "./out", "main.go:5"},
		"no module and no main.go": {map[string]string{"server.go": serves}, deployment.Project{}, "go mod init app && go mod tidy && go build -mod=mod -o out", "./out", "server.go:5"},
		"a module by its imports": {
			map[string]string{"main.go": "package main\n\nimport \"example.com/team/shop/internal/db\"\n\nfunc main() { db.Open() }\n", "internal/db/db.go": "package db\n"},
			deployment.Project{},
			"go mod init example.com/team/shop && go mod tidy && go build -mod=mod -o out", "./out", "main.go:5",
		},
		"a name of the Procfile":    {map[string]string{"go.mod": module, "main.go": main, "Procfile": "web: bin/shop -port $PORT\n"}, deployment.Project{}, "go build -o out", "./out -port $PORT", "Procfile:1"},
		"a command of the Procfile": {map[string]string{"go.mod": module, "cmd/a/main.go": main, "cmd/b/main.go": main, "Procfile": "web: ./bin/b\n"}, deployment.Project{}, "go build -o out ./cmd/b", "./out", "Procfile:1"},
		"go run":                    {map[string]string{"go.mod": module, "cmd/a/main.go": main, "cmd/b/main.go": main, "Procfile": "web: go run ./cmd/b/main.go -x\n"}, deployment.Project{}, "go build -o out ./cmd/b", "./out -x", "Procfile:1"},
		"a script":                  {map[string]string{"go.mod": module, "main.go": main, "run.sh": "", "Procfile": "web: ./run.sh\n"}, deployment.Project{}, "go build -o out", "./run.sh", ""},
		"another program":           {map[string]string{"go.mod": module, "main.go": main, "Procfile": "web: sleep 1\n"}, deployment.Project{}, "go build -o out", "sleep 1", ""},
		"nothing to repair":         {map[string]string{"go.mod": module, "main.go": main, "cmd/tool/main.go": serves}, deployment.Project{}, "go build -o out", "./out", ""},
		"the one that is named":     {map[string]string{"go.mod": module, "cmd/a/main.go": main, "cmd/server/main.go": main, "nixpacks.toml": "[variables]\nNIXPACKS_GO_BIN = \"a\"\n"}, deployment.Project{}, "go build -o out ./cmd/a", "./out", ""},
		"the project's build":       {map[string]string{"go.mod": module, "cmd/a/main.go": main, "cmd/server/main.go": main}, deployment.Project{BuildCommand: "go build -o out ./cmd/a"}, "go build -o out ./cmd/a", "./out", ""},
		"repairs are off":           {map[string]string{"go.mod": module, "cmd/a/main.go": main, "cmd/server/main.go": main}, off, "go build -o out ./cmd/a", "./out", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			require.NoError(t, err)
			require.Equal(t, test.build, plan.BuildCommand)
			require.Equal(t, test.start, plan.StartCommand)
			require.Equal(t, []string{"go"}, plan.Providers)
			if test.at == "" {
				require.NotContains(t, codes(plan), "repair.go_main")
				return
			}
			require.Equal(t, "repair.go_main "+test.at, place(plan.Warnings[0]))
			require.Contains(t, plan.Warnings[0].Fix, "to keep this")
			require.NotContains(t, codes(plan), "go.multiple_cmd")
			for command := range strings.SplitSeq(test.build, " && ") {
				require.Contains(t, dockerfile, " "+command+"\n")
			}
			parse(t, dockerfile)
		})
	}
}

func TestRepair_GoMain_WhichOfThem(t *testing.T) {
	t.Parallel()
	files := map[string]string{"go.mod": "module example.com/shop\n", "cmd/a/main.go": "package main\n\nfunc main() {}\n", "cmd/b/main.go": "package main\n\nfunc main() {}\n"}
	_, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.several_commands")
	require.ErrorContains(t, err, `the commands "cmd/a", "cmd/b"`)
	_, _, err = newPlanner(t).Plan(t.Context(), writeRepo(t, map[string]string{"a.go": "package main\n\nfunc main() {}\n"}), deployment.Project{}, nil)
	requireFailure(t, err, deployment.ClassUser, "plan.nothing_to_build")
}
