package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

const credentialsLong = `What lets slipway into a project's private repository: a token for an https URL, a private key for an ssh one. It goes in and
never comes out, is stored encrypted, and is sent to the host of the project's repository alone.
Without --project the project of the git checkout is meant; outside of one, the only project there is.`

func (c *cli) credentialsCommand() *cobra.Command {
	var project string
	command := c.group(&cobra.Command{
		Use: "credentials", Aliases: []string{"credential"}, Short: "Let slipway into a private repository", Long: credentialsLong,
		Example: "  slipway credentials set --project shop                   # asks for a token\n  slipway credentials set --project shop deploy-key --known-hosts known_hosts",
	}, c.credentialsSet(&project), c.credentialsShow(&project), c.credentialsRemove(&project))
	command.PersistentFlags().StringVarP(&project, "project", "p", "", "the `project`, by name or id")
	return command
}

// credentialFlags are what `credentials set` takes besides the secret.
type credentialFlags struct{ kind, username, knownHosts string }

const credentialsSetLong = `Set the credential of a project's private repository; it takes the place of the one before. The secret comes from FILE, from
standard input, or is asked for on a terminal; it is never an argument, so that neither the shell's history nor the list of
processes has it. A secret that begins like a private key is an ssh_key, any other a token.

A token goes with an https URL. The user name is x-token-auth unless --username says otherwise, which is right for access
tokens of GitHub, GitLab, Gitea and Bitbucket; GitLab's deploy tokens and Bitbucket's app passwords need their own.

A key goes with an ssh URL: ed25519, ECDSA, or RSA of 2048 bits or more, without a passphrase. Its public half has to be a
deploy key of the repository. --known-hosts gives the server's host keys; compare them with what the host publishes.`

func (c *cli) credentialsSet(project *string) *cobra.Command {
	var flags credentialFlags
	command := &cobra.Command{
		Use: "set [FILE|-]", Short: "Set the token or SSH key", Args: cobra.MaximumNArgs(1), Long: credentialsSetLong,
		Example: `  slipway credentials set --project shop                          # asks, without showing what is typed
  pass show git/shop-token | slipway credentials set --project shop -
  ssh-keygen -t ed25519 -N '' -f deploy-key && ssh-keyscan git.example.com > known_hosts
  slipway credentials set --project shop deploy-key --known-hosts known_hosts`,
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := c.readCredential(cmd.Context(), args)
			if err != nil {
				return err
			}
			body, err := c.credentialInput(cmd.Context(), secret, flags)
			if err != nil {
				return err
			}
			return c.credentialsCall(cmd.Context(), *project, func(api *client.ClientWithResponses, project string) error {
				set, err := ask[client.GitCredentialAnswer](api.SetGitCredentialWithResponse(cmd.Context(), project, body))
				if err != nil {
					return err
				}
				return c.print(set, func() error { return c.printCredentialSet(project, *set) })
			})
		},
	}
	kind := &choice{&flags.kind, []string{string(client.GitCredentialKindToken), string(client.GitCredentialKindSSHKey)}}
	command.Flags().Var(kind, "kind", "what the secret is, if it does not show")
	command.Flags().StringVar(&flags.username, "username", "", "the user `name` that goes with the secret")
	command.Flags().StringVar(&flags.knownHosts, "known-hosts", "", "`file` with the ssh server's host keys")
	return command
}

// readCredential reads the secret from a file, - or nothing for standard input, which is asked when it is a terminal.
func (c *cli) readCredential(ctx context.Context, args []string) (string, error) {
	if len(args) == 0 && c.screen.stdin {
		return c.askSecret(ctx, "token")
	}
	path := "-"
	if len(args) > 0 {
		path = args[0]
	}
	secret, err := c.readFile(ctx, path)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return secret, nil
}

func (c *cli) credentialInput(ctx context.Context, secret string, flags credentialFlags) (client.GitCredentialInput, error) {
	secret = strings.TrimSpace(secret)
	if secret == "" {
		return client.GitCredentialInput{}, &shownError{message: "the secret is empty", fix: "give a file with the token or the private key, or pipe it in"}
	}
	kind := client.GitCredentialKind(flags.kind)
	if kind == "" {
		kind = client.GitCredentialKindToken
		if strings.HasPrefix(secret, "-----BEGIN ") {
			kind = client.GitCredentialKindSSHKey
		}
	}
	body := client.GitCredentialInput{Kind: kind, Secret: secret}
	if flags.username != "" {
		body.Username = &flags.username
	}
	if flags.knownHosts != "" {
		lines, err := c.readFile(ctx, flags.knownHosts)
		if err != nil {
			return body, fmt.Errorf("read known hosts: %w", err)
		}
		body.KnownHosts = &lines
	}
	return body, nil
}

func (c *cli) printCredentialSet(project string, set client.GitCredentialAnswer) error {
	if w := set.Warning; w != nil {
		c.say("warning: it is set, but the server does not let it in: %s", clean(w.Message))
		if w.Fix != nil {
			c.say("fix: %s", clean(*w.Fix))
		}
	}
	return c.line("%s: %s", project, credentialWords(set.GitCredential))
}

func (c *cli) credentialsShow(project *string) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show which credential is set", Args: cobra.NoArgs,
		Long:    "Show the kind of a project's credential, the host that it is for, and an SSH key's fingerprint; never the secret.",
		Example: "  slipway credentials show --project shop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.credentialsCall(cmd.Context(), *project, func(api *client.ClientWithResponses, project string) error {
				p, err := ask[client.Project](api.GetProjectWithResponse(cmd.Context(), project))
				if err != nil {
					return err
				}
				return c.print(p.GitCredential, func() error { return c.line("%s: %s", p.Name, orElse(credentialWords(p.GitCredential), "none")) })
			})
		},
	}
}

func (c *cli) credentialsRemove(project *string) *cobra.Command {
	return &cobra.Command{
		Use: "remove", Aliases: []string{"rm"}, Short: "Remove the credential", Args: cobra.NoArgs,
		Long:    "Remove a project's credential. The next deploy fetches without one.",
		Example: "  slipway credentials remove --project shop",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.credentialsCall(cmd.Context(), *project, func(api *client.ClientWithResponses, project string) error {
				if _, err := api.DeleteGitCredentialWithResponse(cmd.Context(), project); err != nil {
					return err
				}
				c.say("%s has no credential any more", project)
				return nil
			})
		},
	}
}

// credentialsCall calls the API for a project.
func (c *cli) credentialsCall(ctx context.Context, project string, call func(*client.ClientWithResponses, string) error) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	if project, err = c.theProject(ctx, api, project); err != nil {
		return err
	}
	return call(api, project)
}

// credentialWords says what a credential is in one line, nothing for none.
func credentialWords(g *client.GitCredential) string {
	if g == nil {
		return ""
	}
	words := "token for " + g.Host
	if g.Kind == client.GitCredentialKindSSHKey {
		words = "SSH key " + text(g.Fingerprint) + " for " + g.Host
	}
	if g.Username != nil {
		words += " as " + *g.Username
	}
	if !g.Active {
		words += ", not sent: the repository is elsewhere now; set it again"
	}
	return words
}
