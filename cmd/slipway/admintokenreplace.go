package main

import (
	"context"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/internal/postgres"
)

// onMachine does something with the store of the installation on this machine, where the API cannot help.
func (c *cli) onMachine(ctx context.Context, do func(config.Dev, *postgres.Store) error) error {
	m, err := config.LoadMachine(config.Environ())
	if err != nil {
		return faulty(err)
	}
	store, err := roles.JoinMachine(ctx, m)
	if err != nil {
		return withFix(err)
	}
	defer store.Close()
	return withFix(do(m, store))
}

// withFix shows the fix of a failure.
func withFix(err error) error {
	if fix := roles.FixOf(err); fix != "" {
		return &shownError{message: err.Error(), fix: fix}
	}
	return err
}

// replacedToken is the answer of `slipway admin token`.
type replacedToken struct {
	Name    string `json:"name"`
	Token   string `json:"token"`
	File    string `json:"file"`
	Revoked bool   `json:"revoked"`           // there was one of that name, and it lets nobody in any more
	Kept    string `json:"kept_as,omitempty"` // what that one is called now
}

// replaceAdminToken makes a token without one, for whoever may read this machine's database.
func (c *cli) replaceAdminToken(ctx context.Context, name string, keep bool) error {
	return c.onMachine(ctx, func(m config.Dev, store *postgres.Store) error {
		made, err := roles.ReplaceAdminToken(ctx, store, m.DataDir, name, keep)
		if err != nil {
			return err
		}
		answer := replacedToken{Name: name, Token: made.Secret, File: made.File}
		if made.Before != nil && made.Kept {
			answer.Kept = made.Before.Name
		}
		answer.Revoked = made.Before != nil && !made.Kept
		return c.print(answer, func() error {
			switch {
			case answer.Kept != "":
				c.say("the token that was %s goes on as %s", name, answer.Kept)
			case answer.Revoked:
				c.say("the token that was %s before lets nobody in any more", name)
			}
			c.say("token %s, also in %s; it is shown this once:", name, made.File)
			return c.line("%s", made.Secret)
		})
	})
}
