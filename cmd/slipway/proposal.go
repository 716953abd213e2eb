package main

import (
	"path"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// identity returns a new project's name and repository: what was given, and for what was not, what the checkout proposes. On a
// terminal somebody can answer otherwise.
func (c *cli) identity(cmd *cobra.Command, args []string) (name, url string, err error) {
	if len(args) == 2 {
		return args[0], args[1], nil
	}
	given := argument(args)
	if name, url, err = c.proposal(cmd); err != nil {
		return "", "", err
	}
	name = orElse(given, name)
	if !c.screen.stdin {
		c.say("note: project %s of %s, from this checkout", name, url)
		return name, url, nil
	}
	if given == "" {
		if name, err = c.askDefault(cmd.Context(), "Name", name); err != nil {
			return "", "", err
		}
	}
	url, err = c.askDefault(cmd.Context(), "Repository", url)
	return name, url, err
}

// proposal returns the first remote of the checkout that a server could fetch from, and a name made of it.
func (c *cli) proposal(cmd *cobra.Command) (name, url string, err error) {
	found, err := c.checkout(cmd.Context())
	if err != nil {
		return "", "", err
	}
	if found == nil {
		return "", "", usageError(cmd, "NAME and REPO_URL are needed: this is no git checkout with a remote that could be fetched from")
	}
	if found.Folder != "." && !cmd.Flags().Changed("root-dir") {
		c.say("note: the whole repository is built; --root-dir %s builds this folder alone", found.Folder)
	}
	for _, remote := range found.Remotes {
		if public, ok := remote.Public(); ok {
			url = public
			break
		}
	}
	return proposedName(url), url, nil
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// proposedName makes a project's name of its repository's.
func proposedName(url string) string {
	base := strings.TrimSuffix(path.Base(url), ".git")
	name := notInName.ReplaceAllString(strings.ToLower(base), "-")
	return strings.Trim(name[:min(len(name), 63)], "-")
}
