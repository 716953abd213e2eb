package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

// build says which slipway this is.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func buildVersion() build {
	b := build{Version: version, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return b
}

// String returns the version with the commit where it is known.
func (b build) String() string {
	s := b.Version
	if b.Commit != "" {
		s += " (" + short(&b.Commit) + ")"
	}
	return s + " " + b.Go
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Long:    "Print the version of this program, the commit it was built from, and the Go release.",
		Example: "  slipway version\n  slipway version --output json",
		RunE: func(*cobra.Command, []string) error {
			b := buildVersion()
			return c.print(b, func() error { return c.line("slipway %s", b) })
		},
	}
}
