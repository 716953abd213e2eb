package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-dev/slipway/internal/gitserve"
)

// sources are the examples that can be deployed here, and the file in which each says its greeting, on one line.
var sources = []struct{ name, file string }{
	{"node", "src/server.ts"}, {"python", "app.py"}, {"go", "main.go"}, {"dockerfile", "www/index.html"},
}

// app is a copy of an example that one side deploys, in a repository of its own: with one for both, the side that comes
// second would find in BuildKit's cache what the first has built.
type app struct {
	name   string // of the copy: its folder, its repository, its project or container
	source string // name of the example
	file   string
	text   []byte // of the file, as the example has it
	said   string // what the app answers once the last commit is live
}

// newApp copies an example into a folder that is served as a repository.
func (r *rig) newApp(ctx context.Context, source, name string) (*app, error) {
	for _, s := range sources {
		if s.name != source {
			continue
		}
		if err := os.CopyFS(r.folder(name), os.DirFS(filepath.Join("examples", source))); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(r.folder(name), s.file))
		if err != nil {
			return nil, err
		}
		a := &app{name: name, source: source, file: s.file, text: text}
		return a, r.commit(ctx, a)
	}
	return nil, fmt.Errorf("there is no example %q", source)
}

// commit makes a commit that changes one line of the app's source.
func (r *rig) commit(ctx context.Context, a *app) error {
	r.commits++
	greeting := fmt.Sprintf("Hello from slipway's %s example", a.source)
	a.said = fmt.Sprintf("%s, change %d of the benchmark", greeting, r.commits)
	changed := bytes.Replace(a.text, []byte(greeting), []byte(a.said), 1)
	if bytes.Equal(changed, a.text) {
		return fmt.Errorf("examples/%s/%s does not say %q any more", a.source, a.file, greeting)
	}
	if err := os.WriteFile(filepath.Join(r.folder(a.name), a.file), changed, 0o644); err != nil {
		return err
	}
	return r.serve(ctx)
}

// serve commits what the folders of sources hold now.
func (r *rig) serve(ctx context.Context) error {
	return gitserve.Sync(ctx, r.sources(), filepath.Join(r.dev.Data, "examples"))
}

func (r *rig) sources() string           { return filepath.Join(r.root, "sources") }
func (r *rig) folder(name string) string { return filepath.Join(r.sources(), name) }
func (r *rig) repo(name string) string {
	return "http://" + r.config.Examples.Addr + "/" + name + ".git"
}
