// Command railpackfrontend stands in for Railpack's BuildKit frontend, which tests cannot pull: it keeps to what Railpack
// documents of the image's contract (railpack.com/platforms/buildkit-frontend) and builds plans of one chain of steps.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/util/appcontext"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type plan struct {
	Steps   []step   `json:"steps"`
	Secrets []string `json:"secrets"`
	Deploy  struct {
		StartCommand string `json:"startCommand"`
	} `json:"deploy"`
}

type step struct {
	Inputs []struct {
		Image string `json:"image"`
	} `json:"inputs"`
	Commands []struct {
		Cmd  string `json:"cmd"`
		Src  string `json:"src"`
		Dest string `json:"dest"`
	} `json:"commands"`
}

func main() {
	if err := grpcclient.RunFromEnvironment(appcontext.Context(), build); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(ctx context.Context, c client.Client) (*client.Result, error) {
	opts := c.BuildOpts().Opts
	p, err := read(ctx, c, opts["filename"])
	if err != nil {
		return nil, err
	}
	state := llb.Scratch()
	for _, s := range p.Steps {
		if len(s.Inputs) > 0 && s.Inputs[0].Image != "" {
			state = llb.Image(s.Inputs[0].Image, llb.WithMetaResolver(c)).Dir("/app")
		}
		for _, command := range s.Commands {
			if command.Cmd == "" {
				state = state.File(llb.Copy(llb.Local("context"), command.Src, command.Dest, &llb.CopyInfo{CreateDestPath: true}))
				continue
			}
			state = state.Run(options(p, opts, command.Cmd)...).Root()
		}
	}
	definition, err := state.Marshal(ctx, llb.LinuxAmd64)
	if err != nil {
		return nil, err
	}
	result, err := c.Solve(ctx, client.SolveRequest{Definition: definition.ToPB()})
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(ocispecs.Image{
		Platform: ocispecs.Platform{Architecture: "amd64", OS: "linux"},
		Config:   ocispecs.ImageConfig{Entrypoint: []string{"/bin/bash", "-c"}, Cmd: []string{p.Deploy.StartCommand}, WorkingDir: "/app"},
		RootFS:   ocispecs.RootFS{Type: "layers"},
	})
	result.AddMeta(exptypes.ExporterImageConfigKey, config)
	return result, err
}

// options gives every command every secret as an environment variable; the hash of them all is what their cache depends on.
func options(p plan, opts map[string]string, command string) []llb.RunOption {
	hash := llb.Scratch().File(llb.Mkfile("/secrets-hash", 0o644, []byte(opts["build-arg:secrets-hash"])))
	cache := llb.AsPersistentCacheDir(opts["build-arg:cache-key"]+"-cache", llb.CacheMountShared)
	run := []llb.RunOption{
		llb.Shlex(command), llb.AddMount("/secrets-hash", hash), llb.AddMount("/cache", llb.Scratch(), cache),
	}
	for _, name := range p.Secrets {
		run = append(run, llb.AddSecret(name, llb.SecretID(name), llb.SecretAsEnv(true), llb.SecretAsEnvName(name)))
	}
	if opts["build-arg:no-cache"] == "true" {
		run = append(run, llb.IgnoreCache)
	}
	return run
}

func read(ctx context.Context, c client.Client, name string) (p plan, err error) {
	definition, err := llb.Local("dockerfile", llb.FollowPaths([]string{name})).Marshal(ctx)
	if err != nil {
		return p, err
	}
	result, err := c.Solve(ctx, client.SolveRequest{Definition: definition.ToPB()})
	if err != nil {
		return p, err
	}
	ref, err := result.SingleRef()
	if err != nil {
		return p, err
	}
	data, err := ref.ReadFile(ctx, client.ReadRequest{Filename: name})
	if err != nil {
		return p, err
	}
	err = json.NewDecoder(strings.NewReader(string(data))).Decode(&p)
	return p, err
}
