package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/client"
)

const domainsLong = `Domains are host names of your own that lead to what is live in an environment, production unless --environment names another.
A domain leads nowhere until it is verified: a TXT record in DNS shows that it is yours, and may be removed afterwards. Another
record leads its visitors to the gateway. Both are shown by add and list.
Without --project the project of the git checkout is meant; outside of one, the only project there is.`

// domainFlags say whose domains are meant.
type domainFlags struct{ project, environment string }

func (c *cli) domainsCommand() *cobra.Command {
	var of domainFlags
	command := c.group(&cobra.Command{
		Use: "domains", Aliases: []string{"domain"}, Short: "Lead domains of your own to an environment", Long: domainsLong,
		Example: "  slipway domains add shop.example.com --project shop\n  slipway domains verify shop.example.com --project shop",
	}, c.domainsAdd(&of), c.domainsList(&of), c.domainsVerify(&of), c.domainsRemove(&of))
	command.PersistentFlags().StringVarP(&of.project, "project", "p", "", "the `project`, by name or id")
	command.PersistentFlags().StringVarP(&of.environment, "environment", "e", "production", "the `environment`, by name or id")
	return command
}

func (c *cli) domainsAdd(of *domainFlags) *cobra.Command {
	return &cobra.Command{
		Use: "add DOMAIN", Short: "Add a domain, and show the DNS records to make", Args: cobra.ExactArgs(1),
		Long: `Add a domain to an environment, and show the DNS records to make. Others may add the same name: whoever verifies it first
has it. Added again, it is shown as it stands.`,
		Example: "  slipway domains add shop.example.com --project shop\n  slipway domains add beta.example.com -p shop -e branch/beta",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.domainCall(cmd.Context(), of, func(api *client.ClientWithResponses, e *client.Environment) error {
				d, err := ask[client.Domain](api.AddDomainWithResponse(cmd.Context(), e.ID, client.DomainCreate{Name: args[0]}))
				if err != nil {
					return err
				}
				return c.print(d, func() error { return c.printDomain(*d, e) })
			})
		},
	}
}

func (c *cli) printDomain(d client.Domain, e *client.Environment) error {
	if d.VerifiedAt != nil {
		return c.line("%s leads to %s of %s", d.URL, e.Name, e.Project)
	}
	if err := c.line("make these records in DNS, then run `slipway domains verify %s -p %s -e %s`", d.Name, e.Project, e.Name); err != nil {
		return err
	}
	t := newTable("FOR", "TYPE", "NAME", "VALUE")
	for _, r := range d.Records {
		t.add(string(r.Purpose), r.Type, r.Name, r.Value)
	}
	if err := c.printTable(t); err != nil {
		return err
	}
	for _, r := range d.Records {
		if r.Note != nil {
			c.say("%s %s: %s", r.Type, clean(r.Name), clean(*r.Note))
		}
	}
	return nil
}

func (c *cli) domainsList(of *domainFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List an environment's domains", Args: cobra.NoArgs,
		Long:    "List the domains of an environment: whether each is verified, when DNS was asked last, and why that did not verify it.",
		Example: "  slipway domains list --project shop\n  slipway domains list -p shop --output json | jq '.items[].records'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.domainCall(cmd.Context(), of, func(api *client.ClientWithResponses, e *client.Environment) error {
				found, err := listDomains(cmd.Context(), api, e.ID)
				if err != nil {
					return err
				}
				return c.print(found, func() error { return c.printDomains(*found, e) })
			})
		},
	}
}

func (c *cli) printDomains(found client.DomainList, e *client.Environment) error {
	if len(found.Items) == 0 {
		c.say("%s of %s has no domains: `slipway domains add` adds one", e.Name, e.Project)
		return nil
	}
	t := newTable("DOMAIN", "STATE", "CHECKED", "WHY")
	for _, d := range found.Items {
		state, checked, why := "to be verified", "", ""
		if d.VerifiedAt != nil {
			state = "verified"
		}
		if d.CheckedAt != nil {
			checked = took(c.now().Sub(*d.CheckedAt)) + " ago"
		}
		if d.CheckError != nil {
			why = *d.CheckError
		}
		t.add(d.Name, state, checked, why)
	}
	return c.printTable(t)
}

func (c *cli) domainsVerify(of *domainFlags) *cobra.Command {
	return &cobra.Command{
		Use: "verify DOMAIN", Short: "Look for a domain's record in DNS", Args: cobra.ExactArgs(1),
		Long: `Look for a domain's TXT record in DNS, now. When it is there the domain leads to its environment at once, and for good. DNS
servers may keep an older answer for as long as its time to live.`,
		Example: "  slipway domains verify shop.example.com --project shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.domainCall(cmd.Context(), of, func(api *client.ClientWithResponses, e *client.Environment) error {
				d, err := ask[client.Domain](api.VerifyDomainWithResponse(cmd.Context(), e.ID, args[0]))
				if err != nil {
					return err
				}
				return c.print(d, func() error { return c.printDomain(*d, e) })
			})
		},
	}
}

func (c *cli) domainsRemove(of *domainFlags) *cobra.Command {
	return &cobra.Command{
		Use: "remove DOMAIN", Aliases: []string{"rm", "delete"}, Short: "Remove a domain", Args: cobra.ExactArgs(1),
		Long:    "Remove a domain from an environment. It leads nowhere at once, and others may add it.",
		Example: "  slipway domains remove shop.example.com --project shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.domainCall(cmd.Context(), of, func(api *client.ClientWithResponses, e *client.Environment) error {
				if _, err := api.DeleteDomainWithResponse(cmd.Context(), e.ID, args[0]); err != nil {
					return err
				}
				c.say("%s leads to %s of %s no more", args[0], e.Name, e.Project)
				return nil
			})
		},
	}
}

// domainCall does something with the environment that the flags name.
func (c *cli) domainCall(ctx context.Context, of *domainFlags, do func(*client.ClientWithResponses, *client.Environment) error) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	e, err := c.environment(ctx, api, of.project, of.environment)
	if err != nil {
		return err
	}
	return do(api, e)
}

// listDomains gathers all pages.
func listDomains(ctx context.Context, api *client.ClientWithResponses, environment string) (*client.DomainList, error) {
	all := &client.DomainList{Items: []client.Domain{}}
	params := client.ListDomainsParams{Limit: new(pageSize)}
	for {
		page, err := ask[client.DomainList](api.ListDomainsWithResponse(ctx, environment, &params))
		if err != nil {
			return nil, err
		}
		all.Items, params.Cursor = append(all.Items, page.Items...), page.NextCursor
		if page.NextCursor == nil {
			return all, nil
		}
	}
}
