package docker

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Some failures need a race with others on the engine, which no test can arrange: so it is the source that is looked at.
func TestEveryFailureHasAFix(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	seen, positions := 0, token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(positions, name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !strings.HasSuffix(f.Sel.Name, "Failure") || len(call.Args) < 3 {
				return true
			}
			seen++
			fix, ok := call.Args[1].(*ast.BasicLit)
			require.False(t, ok && fix.Value == `""`, "%s: the failure has no fix", positions.Position(call.Pos()))
			return true
		})
	}
	require.Greater(t, seen, 10)
}
