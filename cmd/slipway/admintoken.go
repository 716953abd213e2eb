package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

func (c *cli) adminToken() *cobra.Command {
	var name string
	var keep bool
	command := c.group(&cobra.Command{
		Use: "token", Aliases: []string{"tokens"}, Short: "Make, list and revoke tokens of the API; alone: replace a lost admin token",
		Long: `A token lets whoever has it use the API, for everything. Give each person and each CI job one of its own: the access log names it,
and one that leaked is revoked alone.

Alone, on the machine itself, it replaces an admin token that was lost: it needs no token, but the right to read the
installation's database and to write to its data directory (with slipway-dev: root), and the settings that slipway runs with
(SLIPWAY_DATA_DIR, SLIPWAY_DATABASE_URL). The new token is shown once and written to admin.token in the data directory. The
old one of that name lets nobody in from then on, since what is lost may be found; --keep leaves it valid under another name. All
other tokens stay.`,
		Example: `  slipway admin token create ci/shop --expires 90d
  slipway admin token list
  slipway admin token revoke ci/shop
  sudo -E slipway admin token                  # on the machine itself: the admin token was lost
  docker compose -f deploy/compose.yaml run --rm --no-deps migrate admin token`,
	}, c.adminTokenCreate(), c.adminTokenList(), c.adminTokenRevoke())
	command.Flags().StringVar(&name, "name", "admin", "the `name` of the token to replace")
	command.Flags().BoolVar(&keep, "keep", false, "leave the old one valid, under another name")
	unknown := command.RunE
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args)
		}
		return c.replaceAdminToken(cmd.Context(), name, keep)
	}
	return command
}

func (c *cli) adminTokenCreate() *cobra.Command {
	var expires string
	command := &cobra.Command{
		Use: "create NAME", Short: "Make a token and show it, once", Args: cobra.ExactArgs(1),
		Long: `Make a token and print it, alone on standard output. It is shown this once: slipway keeps its hash. NAME says whose it is.`,
		Example: `  slipway admin token create alice
  slipway admin token create ci/shop --expires 90d > token.txt
  slipway admin token create guest --expires 2027-01-31`,
		RunE: func(cmd *cobra.Command, args []string) error {
			end, err := c.timeToCome("--expires", expires)
			if err != nil {
				return err
			}
			api, err := c.api()
			if err != nil {
				return err
			}
			made, err := ask[client.TokenCreated](api.CreateTokenWithResponse(cmd.Context(), client.TokenCreate{Name: args[0], ExpiresAt: end}))
			if err != nil {
				return err
			}
			return c.print(made, func() error {
				c.say("token %s, %s; it is shown this once:", made.Name, c.untilWords(made.ExpiresAt))
				return c.line("%s", clean(made.Token))
			})
		},
	}
	command.Flags().StringVar(&expires, "expires", "", "how long it is valid or until `when`: 90d, 12h, 2027-01-31, or a time as RFC 3339 (default: for ever)")
	return command
}

// timeToCome reads a flag that says how long or until when; nil for one that was not given.
func (c *cli) timeToCome(flag, given string) (*time.Time, error) {
	if given == "" {
		return nil, nil //nolint:nilnil // a token need not end
	}
	if lasts, err := lengthOf(given); err == nil && lasts > 0 {
		return new(c.now().Add(lasts).UTC().Truncate(time.Second)), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, given, c.location); err == nil && at.After(c.now()) {
			return new(at.UTC()), nil
		}
	}
	return nil, &shownError{message: fmt.Sprintf("%s %q is no time to come", flag, given), fix: "give one like 90d, 12h, 2027-01-31 or 2027-01-31T18:00:00Z", exit: exitUsage}
}

// lengthOf reads a length of time, in days too.
func lengthOf(given string) (time.Duration, error) {
	days, inDays := strings.CutSuffix(given, "d")
	if !inDays {
		return time.ParseDuration(given)
	}
	n, err := strconv.Atoi(days)
	return time.Duration(n) * 24 * time.Hour, err
}

func (c *cli) untilWords(end *time.Time) string {
	switch {
	case end == nil:
		return "valid for ever"
	case end.Before(c.now()):
		return "expired " + c.stamp(end)
	default:
		return "valid until " + c.stamp(end)
	}
}

func (c *cli) adminTokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tokens without their secrets", Args: cobra.NoArgs,
		Long:    "List tokens with when they were made and last used, and which of them this program uses.",
		Example: "  slipway admin token list\n  slipway admin token list --output json | jq -r '.items[] | select(.last_used_at == null).name'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			found, err := listTokens(cmd.Context(), api)
			if err != nil {
				return err
			}
			return c.print(found, func() error {
				t := newTable("NAME", "AGE", "LAST USED", "VALIDITY", "IN USE HERE")
				for _, token := range found.Items {
					used, here := "never", ""
					if token.LastUsedAt != nil {
						used = took(c.now().Sub(*token.LastUsedAt)) + " ago"
					}
					if token.Current {
						here = "yes"
					}
					t.add(token.Name, took(c.now().Sub(token.CreatedAt)), used, c.untilWords(token.ExpiresAt), here)
				}
				return c.printTable(t)
			})
		},
	}
}

func (c *cli) adminTokenRevoke() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use: "revoke TOKEN", Aliases: []string{"rm"}, Short: "Revoke a token", Args: cobra.ExactArgs(1),
		Long: `Revoke a token, by name or id: it lets nobody in from now on. What was begun with it goes on. Asks first when it is the one
that this program uses; where there is no terminal to ask on, --yes is needed then. The last token that does not expire stays.`,
		Example: "  slipway admin token revoke ci/shop\n  slipway admin token revoke admin --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.api()
			if err != nil {
				return err
			}
			token, err := findToken(cmd.Context(), api, args[0])
			if err != nil {
				return err
			}
			if token.Current && !yes {
				if err := c.confirmRevoke(cmd.Context(), *token); err != nil {
					return err
				}
			}
			if _, err := api.DeleteTokenWithResponse(cmd.Context(), token.ID); err != nil {
				return err
			}
			c.say("token %s is revoked", token.Name)
			if token.Current {
				c.say("it was the one in use: `slipway login` with another")
			}
			return nil
		},
	}
	command.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return command
}

// confirmRevoke asks whether to revoke the token in use: afterwards nothing works until somebody logs in with another.
func (c *cli) confirmRevoke(ctx context.Context, token client.Token) error {
	if !c.screen.stdin {
		return &shownError{message: fmt.Sprintf("%s is the token in use, and there is no terminal to ask on whether to revoke it", token.Name), fix: "pass --yes, or log in with another first", exit: exitUsage}
	}
	c.say("%s is the token in use: without another one you are locked out.", token.Name)
	typed, err := c.askLine(ctx, "Type the token's name to go on")
	if err == nil && typed != token.Name {
		err = &shownError{message: "not revoked"}
	}
	return err
}

func listTokens(ctx context.Context, api *client.ClientWithResponses) (*client.TokenList, error) {
	all := &client.TokenList{Items: []client.Token{}}
	params := client.ListTokensParams{Limit: new(pageSize)}
	for {
		page, err := ask[client.TokenList](api.ListTokensWithResponse(ctx, &params))
		if err != nil {
			return nil, err
		}
		all.Items, params.Cursor = append(all.Items, page.Items...), page.NextCursor
		if page.NextCursor == nil {
			return all, nil
		}
	}
}

func findToken(ctx context.Context, api *client.ClientWithResponses, given string) (*client.Token, error) {
	found, err := listTokens(ctx, api)
	if err != nil {
		return nil, err
	}
	for _, token := range found.Items {
		if token.Name == given || token.ID == given {
			return &token, nil
		}
	}
	return nil, &shownError{message: fmt.Sprintf("no token is called %q", given), fix: "`slipway admin token list` shows their names"}
}

// tokenNames proposes tokens.
func tokenNames(ctx context.Context, api *client.ClientWithResponses, typed string) ([]cobra.Completion, error) {
	found, err := listTokens(ctx, api)
	if err != nil {
		return nil, err
	}
	var names []cobra.Completion
	for _, token := range found.Items {
		if strings.HasPrefix(token.Name, typed) {
			names = append(names, token.Name)
		}
	}
	return names, nil
}
