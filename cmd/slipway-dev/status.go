package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
)

// errNotRunning ends `status` with an exit code of its own; what there is to say was printed.
var errNotRunning = errors.New("slipway-dev does not run")

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether slipway-dev runs, and where everything is; exit code 3 when it does not",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.LoadDev(config.Environ())
			if err != nil {
				return err
			}
			pid, err := runningPID(c.DataDir)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if pid == 0 {
				fmt.Fprintf(out, "slipway-dev does not run with data in %s; `make up` starts it\n", c.DataDir)
				return errNotRunning
			}
			state := "is ready"
			switch p := (paths{c}); {
			case !p.saysReady():
				state = "is starting"
			case !answers(cmd.Context(), c.API.Addr):
				state = "does not answer; see " + p.log("slipway-dev")
			}
			fmt.Fprintf(out, "slipway-dev (process %d) %s\n", pid, state)
			fmt.Fprintf(out, "  previews     %s\n", roles.PublicGateway(c.Gateway).URL("*."+c.Gateway.Domain))
			fmt.Fprintf(out, "  API          http://%s\n", c.API.Addr)
			fmt.Fprintf(out, "  Temporal UI  %s\n", c.Temporal.UIURL)
			fmt.Fprintf(out, "  data         %s\n", c.DataDir)
			return nil
		},
	}
}
