package main

import (
	"errors"
	"fmt"
	"net/http"

	imagename "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/internal/registry"
)

func (c *cli) adminCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use: "admin", Short: "Look after an installation",
		Long:    "Commands for the operator of an installation.",
		Example: "  slipway admin token create ci/shop --expires 90d\n  slipway admin images add library/node:20 node-20.tar\n  sudo -E slipway admin reconcile --dry-run\n  sudo -E slipway admin backup slipway.zip",
	}, c.adminToken(), c.adminKeys(), c.adminBackup(), c.adminRestore(), c.adminReconcile(), c.adminHosts(), c.adminCA(), c.group(&cobra.Command{
		Use: "images", Short: "Base images of an installation without public registries",
		Long:    "Base images that builds start from where public image registries cannot be reached. They go to the registry directly, not through the API.",
		Example: "  slipway admin images add library/node:20 node-20.tar",
	}, c.adminImagesAdd()))
}

func (c *cli) adminImagesAdd() *cobra.Command {
	var host, authFile string
	var https bool
	command := &cobra.Command{
		Use: "add NAME TARBALL", Short: "Add a base image to the registry", Args: cobra.ExactArgs(2),
		Long: `Push a tarball, plain or gzipped, into the installation's registry as the base image NAME. The tarball is what
` + "`docker save`" + ` writes for one image, an OCI layout, or a bare root file system such as mmdebstrap makes. Builds that start with
FROM NAME find it from then on. As for Docker, node:20 means library/node:20. A registry that wants a password gets that from the
file that the worker has: SLIPWAY_REGISTRY_AUTH_FILE, or --auth-file.`,
		Example: `  docker pull node:20 && docker save node:20 -o node-20.tar     # where the internet is
  slipway admin images add library/node:20 node-20.tar          # where slipway is
  slipway admin images add library/debian:bookworm rootfs.tar.gz --registry registry.internal:5000
  slipway admin images add library/node:20 node-20.tar --registry registry.example.com --https --auth-file config.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := baseImageName(args[0])
			if err != nil {
				return err
			}
			to := registry.Client{Host: host, Insecure: !https}
			if file := orElse(authFile, c.env("SLIPWAY_REGISTRY_AUTH_FILE")); file != "" {
				to.Logins = registry.LoginsIn(file)
			}
			if err := to.Import(cmd.Context(), image, args[1]); err != nil {
				return addFailure(err)
			}
			digest, err := to.Digest(cmd.Context(), image)
			if err != nil {
				return fmt.Errorf("add base image: %w", err)
			}
			answer := map[string]string{"image": image, "registry": host, "digest": digest}
			return c.print(answer, func() error { return c.line("%s is in %s as %s", image, host, digest) })
		},
	}
	command.Flags().StringVar(&host, "registry", "127.0.0.1:5000", "the registry's `host:port`")
	command.Flags().BoolVar(&https, "https", false, "the registry speaks HTTPS")
	command.Flags().StringVar(&authFile, "auth-file", "", "`config.json` of Docker's with the registry's login; SLIPWAY_REGISTRY_AUTH_FILE when it is empty")
	return command
}

// addFailure says what to do when the registry wants a login, or another one.
func addFailure(err error) error {
	err = fmt.Errorf("add base image: %w", err)
	answer, ok := errors.AsType[*transport.Error](err)
	if ok && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
		return &shownError{message: err.Error(), fix: "give a login that may push there: --auth-file, or SLIPWAY_REGISTRY_AUTH_FILE"}
	}
	return err
}

// baseImageName returns an image's name as builds ask the mirror of docker.io for it: node:20 is library/node:20.
func baseImageName(given string) (string, error) {
	ref, err := imagename.NewTag(given)
	if err != nil {
		return "", &shownError{message: fmt.Sprintf("%q is not the name of an image with a tag", given), fix: "give one like library/node:20", exit: exitUsage}
	}
	if ref.RegistryStr() != imagename.DefaultRegistry {
		return "", &shownError{
			message: fmt.Sprintf("%s names the registry %s", given, ref.RegistryStr()), exit: exitUsage,
			fix: "leave it out: only images of docker.io are looked for in the installation's registry (--registry says which that is)",
		}
	}
	return ref.RepositoryStr() + ":" + ref.TagStr(), nil
}
