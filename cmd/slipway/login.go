package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

// login is what `slipway login` was given.
type login struct {
	url, token string
	tokenStdin bool
}

func (c *cli) loginCommand() *cobra.Command {
	var given login
	command := &cobra.Command{
		Use: "login", Short: "Store which API to use and the token for it", Args: cobra.NoArgs,
		Long: `Store an API's URL and a token for it, after trying them, in $XDG_CONFIG_HOME/slipway/config.yaml (else ~/.config),
readable by you alone. What is not given is asked for. SLIPWAY_API_URL and SLIPWAY_TOKEN win over what is stored; a stored
token is sent to the stored URL and to no other.

The first admin token of slipway-dev lies in its data directory, by default .slipway/admin.token.`,
		Example: `  slipway login
  slipway login --url https://slipway.example.com
  slipway login --token-stdin < .slipway/admin.token`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.login(cmd.Context(), given) },
	}
	flags := command.Flags()
	flags.StringVar(&given.url, "url", "", "the API's `URL` (default: the one in use, else "+defaultURL+")")
	flags.StringVar(&given.token, "token", "", "the `token`; others on this machine may see it in the list of processes")
	flags.BoolVar(&given.tokenStdin, "token-stdin", false, "read the token from standard input")
	return command
}

func (c *cli) login(ctx context.Context, given login) error {
	if given.token != "" && given.tokenStdin {
		return &shownError{message: "--token and --token-stdin exclude each other", exit: exitUsage}
	}
	s, err := c.credentials(ctx, given)
	if err != nil {
		return err
	}
	api, err := c.newAPI(s)
	if err != nil {
		return err
	}
	if _, err := ask[client.ProjectList](api.ListProjectsWithResponse(ctx, &client.ListProjectsParams{Limit: new(1)})); err != nil {
		var answered *apiError
		if errors.As(err, &answered) && answered.status == 401 {
			answered.fix = "check the token; slipway-dev keeps its first one in .slipway/admin.token"
		}
		return err
	}
	path, err := c.store(s)
	if err != nil {
		return err
	}
	if exposesToken(s.URL) {
		c.say("warning: %s is not https: the token travels unencrypted", s.URL)
	}
	for _, variable := range []string{"SLIPWAY_API_URL", "SLIPWAY_TOKEN"} {
		if c.env(variable) != "" {
			c.say("warning: %s is set and wins over what was stored", variable)
		}
	}
	return c.print(map[string]string{"url": s.URL, "config": path}, func() error {
		return c.line("logged in to %s, stored in %s", s.URL, path)
	})
}

// credentials puts together what was given and what is asked for.
func (c *cli) credentials(ctx context.Context, given login) (settings, error) {
	current, err := c.effective()
	if err != nil {
		current = settings{URL: defaultURL} // a file that cannot be read is what login repairs
	}
	if given.url == "" && c.screen.stdin && !given.tokenStdin {
		if given.url, err = c.askDefault(ctx, "API URL", current.URL); err != nil {
			return settings{}, err
		}
	}
	if given.url == "" {
		given.url = current.URL
	}
	base, err := checkURL(given.url)
	if err != nil {
		return settings{}, err
	}
	switch {
	case given.tokenStdin:
		if given.token, err = c.readAll(ctx); err != nil {
			return settings{}, fmt.Errorf("read token: %w", err)
		}
	case given.token == "" && c.screen.stdin:
		if given.token, err = c.askSecret(ctx, "Token"); err != nil {
			return settings{}, err
		}
	}
	if given.token = strings.TrimSpace(given.token); given.token == "" {
		return settings{}, &shownError{message: "no token given", fix: "use --token-stdin, e.g. `slipway login --token-stdin < .slipway/admin.token`", exit: exitUsage}
	}
	return settings{URL: base, Token: given.token}, nil
}

func (c *cli) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Forget the stored API and token", Args: cobra.NoArgs,
		Long:    "Remove the file that `slipway login` wrote. The token itself stays valid.",
		Example: "  slipway logout",
		RunE: func(*cobra.Command, []string) error {
			path, err := c.settingsPath()
			if err != nil {
				return err
			}
			if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
				c.say("nothing is stored")
				return nil
			} else if err != nil {
				return fmt.Errorf("forget settings: %w", err)
			}
			if c.env("SLIPWAY_TOKEN") != "" {
				c.say("warning: SLIPWAY_TOKEN is still set")
			}
			c.say("removed %s", path)
			return nil
		},
	}
}
