package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// The build gets what a tsconfig.json reads, and grows for nothing that it leaves out, writes or only mentions.
func TestAround_TypeScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, needs string }{
		"extends":                       {`{"extends": "../base.json"}`, "js/base.json"},
		"extends several":               {`{"extends": ["@tsconfig/node22", "../base"]}`, "js/base"},
		"references":                    {`{"references": [{"path": "./inner"}, {"path": "../lib"}]}`, "js/lib"},
		"include":                       {`{"include": ["src", "../lib/**/*.ts"]}`, "js/lib"},
		"include of many folders":       {`{"include": ["../li*/index.ts"]}`, "js"},
		"files":                         {`{"files": ["../lib/index.ts"]}`, "js/lib/index.ts"},
		"paths":                         {`{"compilerOptions": {"paths": {"@/*": ["./src/*"], "@lib/*": ["../lib/*"]}}}`, "js/lib"},
		"paths below the base":          {`{"compilerOptions": {"baseUrl": "src", "paths": {"@lib": ["../../lib/index.ts"]}}}`, "js/lib/index.ts"},
		"paths that the base brings in": {`{"compilerOptions": {"baseUrl": "src", "paths": {"@own": ["../own"]}}}`, ""},
		"baseUrl":                       {`{"compilerOptions": {"baseUrl": ".."}}`, "js"},
		"rootDir":                       {`{"compilerOptions": {"rootDir": "../"}}`, "js"},
		"rootDirs":                      {`{"compilerOptions": {"rootDirs": ["src", "../lib"]}}`, "js/lib"},
		"comments and commas":           {"\ufeff{ // ours\n  /* \"the\" base */ \"extends\": \"../base.json\", \"x\": \"// \\\" ,]\",\n}", "js/base.json"},
		"exclude":                       {`{"exclude": ["../lib", "../base.json"]}`, ""},
		"what is written":               {`{"compilerOptions": {"outDir": "../lib", "declarationDir": "../lib", "tsBuildInfoFile": "../base.json"}}`, ""},
		"types":                         {`{"compilerOptions": {"typeRoots": ["../lib"]}}`, ""},
		"a comment":                     {"{\n  // \"extends\": \"../base.json\"\n  /* \"include\": [\"../lib\"] */\n}", ""},
		"broken":                        {`{"extends": "../base.json"`, ""},
		"of another kind":               {`{"extends": 7, "include": "../lib", "references": [{"path": "../lib"}]}`, "js/lib"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{
				"js/web/package.json": `{"scripts": {"start": "node ."}}`, "js/web/tsconfig.json": c.config,
				"js/base.json": "{}", "js/lib/index.ts": "", "js/web/src/a.ts": "", "js/web/own/b.ts": "", "other/c.ts": "",
			}
			plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, files), deployment.Project{RootDir: "js/web"}, nil)
			require.NoError(t, err)
			if c.needs == "" {
				require.Nil(t, plan.Context)
				return
			}
			require.Equal(t, &deployment.BuildContext{Dir: "js", Reason: "js/web/tsconfig.json needs " + c.needs}, plan.Context)
		})
	}
}
