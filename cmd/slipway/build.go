package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	domain "github.com/slipway-dev/slipway/internal/deployment"
)

func (c *cli) buildCommand() *cobra.Command {
	var f buildFolderFlags
	command := &cobra.Command{
		Use: "build FOLDER", Short: "Build a folder on any buildkitd, without a server", Args: cobra.ExactArgs(1),
		Long: `Plan a folder on this machine, as ` + "`slipway plan FOLDER`" + ` does, and build it: the same plan, the same Dockerfile and the same build
that a deploy makes, without a server. Of a git checkout, what git tracks and what is new counts, committed or not.

The image is pushed (--push), written to a file (--save), or only built to see that it can be. Lines of the build go to standard
error; a step that fails is shown with its lines of the Dockerfile. At the end stand steps from cache, seconds by phase and the size
of the image. Ctrl-C stops the build on the buildkitd too.

buildkitd is found by --buildkit, $BUILDKIT_HOST or $SLIPWAY_BUILDKIT_ADDR; else the slipway-dev of this folder has one
($SLIPWAY_DATA_DIR). A tcp:// address with TLS takes $SLIPWAY_BUILDKIT_CA_FILE, _CERT_FILE and _KEY_FILE.

Build variables are secrets, as in a deploy: they are mounted into the steps and are in no layer, argument or line that is printed.
A --secret takes its value from the environment variable of the same name, so that it stands in no list of processes either. For
--push, and for base images, the credentials are those of ` + "`docker login`" + `.`,
		Example: `  slipway build .
  slipway build ./shop --save shop.tar && docker load -i shop.tar
  slipway build ./shop --save shop.tar --save-format oci --tag shop:1
  slipway build . --root-dir apps/web --push registry.example.com/team/web:1
  NPM_TOKEN=... slipway build . --secret NPM_TOKEN --env-file .env.build
  slipway build . --buildkit tcp://builder:1234 --dockerfile deploy/Dockerfile --build-arg VERSION=1.2
  docker run -d --name buildkitd --privileged moby/buildkit && slipway build . --buildkit docker-container://buildkitd
  slipway build . --output json | jq '.build.phases'`,
	}
	f.register(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if f.push != "" && f.save != "" {
			return usageError(cmd, "--push and --save do not go together")
		}
		if f.save == "" && (f.tag != "" || cmd.Flags().Changed("save-format")) {
			return usageError(cmd, "--tag and --save-format go with --save")
		}
		return c.buildFolder(cmd.Context(), filepath.Join(c.base(args[0]), args[0]), &f)
	}
	return command
}

// buildFolderFlags are those of a plan, and what becomes of it.
type buildFolderFlags struct {
	planFlags
	buildkit, push, save, saveFormat, tag string
	envFiles                              []string
	noCache, insecure                     bool
}

func (f *buildFolderFlags) register(command *cobra.Command) {
	flags := command.Flags()
	f.planFlags.register(flags)
	flags.Lookup("secret").Usage = "mount the environment variable of this `name` as a build variable"
	f.saveFormat = string(domain.OutputDocker)
	flags.StringVar(&f.buildkit, "buildkit", "", "build on the buildkitd at `address` (default $BUILDKIT_HOST, $SLIPWAY_BUILDKIT_ADDR or that of slipway-dev)")
	flags.StringVar(&f.push, "push", "", "push the image to `host/name:tag`")
	flags.BoolVar(&f.insecure, "push-insecure", false, "push by plain HTTP, or past a certificate that nobody signed; is so for this machine's own registries")
	flags.StringVar(&f.save, "save", "", "write the image to `file`")
	flags.Var(&choice{&f.saveFormat, []string{string(domain.OutputDocker), string(domain.OutputOCI)}}, "save-format", "how the file is laid out: for docker load, or as an OCI layout")
	flags.StringVar(&f.tag, "tag", "", "call the image in the file `name:tag` (default: the folder's name)")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "mount the variables of this .env `file` as build variables")
	flags.StringVar(&f.network, "build-network", "", "what a RUN reaches: public hosts (sandbox) or nothing: `sandbox|none` (default sandbox)")
	flags.BoolVar(&f.noCache, "no-cache", false, "run every step, also those whose result is there")
}

// variables returns the build variables by name.
func (c *cli) variables(ctx context.Context, f *buildFolderFlags) (map[string]string, error) {
	vars := map[string]string{}
	for _, path := range f.envFiles {
		if path != "-" {
			path = filepath.Join(c.base(path), path)
		}
		read, err := c.readEnvFile(ctx, path)
		if err != nil {
			return nil, err
		}
		for _, v := range read {
			vars[v.name] = v.value
		}
	}
	for _, name := range f.secrets {
		if strings.Contains(name, "=") {
			name, _, _ = strings.Cut(name, "=")
			return nil, &shownError{message: "--secret takes no value: it would stand in the list of processes", fix: fmt.Sprintf("%s=... slipway build . --secret %s", name, name), exit: exitUsage}
		}
		if vars[name] = c.env(name); vars[name] == "" {
			return nil, &shownError{message: fmt.Sprintf("--secret %s: the environment has no variable of this name", name), fix: fmt.Sprintf("%s=... slipway build . --secret %s", name, name), exit: exitUsage}
		}
	}
	return vars, nil
}

// whole is a file that has its name only once it is whole.
type whole struct {
	*os.File
	path string
}

func newWhole(path string) (*whole, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, &shownError{message: fmt.Sprintf("--save %s: %v", path, err), fix: "name a file in a folder that is there", exit: exitUsage}
	}
	return &whole{file, path}, nil
}

// keep gives the file its name, and the rights that other new files get here.
func (w *whole) keep() error {
	if err := os.Chmod(w.Name(), 0o644); err != nil {
		return fmt.Errorf("save image: %w", err)
	}
	if err := os.Rename(w.Name(), w.path); err != nil {
		return fmt.Errorf("save image: %w", err)
	}
	return nil
}

// drop removes what was written, unless it was kept.
func (w *whole) drop() {
	_ = w.Close() // the build closes it when it is whole
	_ = os.Remove(w.Name())
}
