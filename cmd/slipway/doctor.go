package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/doctor"
	"github.com/slipway-dev/slipway/internal/registry"
)

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor [CHECK...]", Short: "Look for what keeps slipway from working on this machine",
		Long: `Look at the machine that this runs on, with the configuration of its slipway (SLIPWAY_* variables and slipway.yaml), and at the
API in use. Each thing that is wrong comes with its fix. Nothing is changed, started or stopped. The exit code is 1 when a check
failed; a warning keeps nothing from working. On a machine that only has the CLI, name the checks that matter there: api git.

Checks:

` + checksText(),
		Example: `  slipway doctor
  sudo slipway doctor ports docker          # root sees everybody's processes
  slipway doctor api git
  slipway doctor --output json | jq '.findings[] | select(.status == "failed")'`,
		ValidArgs: doctor.Names(),
		Args: func(cmd *cobra.Command, args []string) error {
			for _, name := range args {
				if !slices.Contains(doctor.Names(), name) {
					return fmt.Errorf("%q is no check; there are %s", name, strings.Join(doctor.Names(), ", "))
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := c.machine()
			if err != nil {
				return err
			}
			return c.printFindings(doctor.Run(cmd.Context(), m, args))
		},
	}
}

func checksText() string {
	var lines []string
	for _, check := range doctor.Checks() {
		lines = append(lines, fmt.Sprintf("  %-12s %s", check.Name, check.About))
	}
	return strings.Join(lines, "\n")
}

// machine is this machine as it is configured, and the API in use.
func (c *cli) machine() (doctor.Machine, error) {
	environ := config.Environ()
	settings, err := config.LoadMachine(environ)
	if err != nil {
		return doctor.Machine{}, faulty(err)
	}
	api, err := c.effective()
	if err != nil {
		return doctor.Machine{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return doctor.Machine{}, err
	}
	return doctor.Machine{
		Config: settings, APIURL: api.URL, Token: api.Token, BinDir: filepath.Dir(self), Environ: environ, PublicRegistry: registry.Public,
		Store: func(ctx context.Context) (doctor.Store, error) { return roles.JoinMachine(ctx, settings) },
	}, nil
}

// printFindings prints what was found, and then the fixes; one check that failed makes it an error.
func (c *cli) printFindings(found []doctor.Finding) error {
	err := c.print(map[string]any{"findings": found}, func() error {
		t := newTable("CHECK", "STATUS", "FOUND")
		t.paint = 1
		for _, f := range found {
			t.add(f.Check, string(f.Status), f.Detail)
		}
		return c.printTable(t)
	})
	if err != nil {
		return err
	}
	bad := 0
	for _, f := range found {
		if f.Fix != "" && !c.json() {
			c.say("fix %s: %s", f.Check, clean(f.Fix))
		}
		if f.Status == doctor.Failed {
			bad++
		}
	}
	if bad > 0 {
		return &shownError{message: counted(bad, "check has", "checks have") + " failed"}
	}
	return nil
}
