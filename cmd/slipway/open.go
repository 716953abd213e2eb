package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) openCommand() *cobra.Command {
	var printOnly bool
	var environment string
	command := &cobra.Command{
		Use: "open [DEPLOYMENT|PROJECT]", Short: "Open a preview in the browser", Args: cobra.MaximumNArgs(1),
		Long: `Print the URL of a deployment's preview and open it in a browser where there is a display. For a PROJECT it is the stable
address of the environment that was deployed to last; --environment picks another. Without an argument it is the project of
this git checkout.`,
		Example: "  slipway open\n  slipway open shop\n  slipway open shop --environment production\n  slipway open shop#3 --print",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			given := argument(args)
			if given == "" {
				if given, err = c.theProject(cmd.Context(), api, ""); err != nil {
					return err
				}
			}
			url, err := address(cmd.Context(), api, given, environment)
			if err != nil {
				return err
			}
			return c.lead(cmd.Context(), url, printOnly)
		},
	}
	command.Flags().BoolVar(&printOnly, "print", false, "print the URL and open nothing")
	command.Flags().StringVarP(&environment, "environment", "e", "", "for a PROJECT: the environment called `name`")
	return command
}

// address returns the preview's URL of a deployment, or the stable one of a project's environment.
func address(ctx context.Context, api *client.ClientWithResponses, given, environment string) (string, error) {
	if idForm.MatchString(given) || strings.Contains(given, "#") {
		d, err := deployment(ctx, api, given)
		if err != nil {
			return "", err
		}
		if d.Status != client.DeploymentStatusReady {
			return "", &shownError{message: fmt.Sprintf("%s serves nothing: it is %s", name(*d), d.Status), fix: "see `slipway show " + name(*d) + "`"}
		}
		return d.PreviewURL, nil
	}
	found, err := listDeployments(ctx, api, client.ListDeploymentsParams{
		Project: &given, Environment: filled(environment), Status: new(client.DeploymentStatusReady),
	}, 1)
	if err != nil {
		return "", err
	}
	if len(found.Items) == 0 {
		return "", &shownError{message: fmt.Sprintf("nothing of project %s is live", given), fix: "deploy it with `slipway deploy " + given + " --follow`"}
	}
	return found.Items[0].EnvironmentURL, nil
}

// lead prints url and, unless only that was asked for, opens it.
func (c *cli) lead(ctx context.Context, url string, printOnly bool) error {
	if err := c.print(map[string]string{"url": url}, func() error { return c.line("%s", clean(url)) }); err != nil {
		return err
	}
	if printOnly || c.json() {
		return nil
	}
	return c.browse(ctx, url)
}

// browse opens url where somebody can see it; printing it was enough elsewhere.
func (c *cli) browse(ctx context.Context, url string) error {
	opener := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		opener = "open"
	case c.env("DISPLAY") == "" && c.env("WAYLAND_DISPLAY") == "":
		return nil
	}
	if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") { // the API chose it; an opener runs much else
		return fmt.Errorf("open %q: not a web address", url)
	}
	path, err := exec.LookPath(opener)
	if err != nil {
		c.say("note: %s is not installed, so no browser was opened", opener)
		return nil
	}
	if err := exec.CommandContext(ctx, path, url).Run(); err != nil {
		return fmt.Errorf("open %s in a browser with %s: %w", url, opener, err)
	}
	return nil
}
