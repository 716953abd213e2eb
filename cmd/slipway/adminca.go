package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/internal/certificates"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
)

func (c *cli) adminCA() *cobra.Command {
	return &cobra.Command{
		Use: "ca", Short: "Print the certificate of the installation's own CA", Args: cobra.NoArgs,
		Long: `Print the certificate of the installation's own CA in PEM, for the machines and browsers that are to trust previews where
SLIPWAY_TLS is internal. It is valid for ten years, and is made if there is none yet. Its key stays in Postgres, encrypted. It works on
the machine itself, with the settings of slipway's roles.`,
		Example: "  sudo -E slipway admin ca > slipway-ca.pem\n  curl --cacert slipway-ca.pem https://shop.preview.example.com/",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onMachine(cmd.Context(), func(_ config.Dev, store *postgres.Store) error {
				root, err := certificates.Root(cmd.Context(), store)
				if err != nil {
					return err
				}
				return c.print(map[string]string{"certificate": string(root)}, func() error {
					_, err := c.stdout.Write(root)
					return err
				})
			})
		},
	}
}
