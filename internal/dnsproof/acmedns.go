package dnsproof

import (
	"context"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/nrdcg/goacmedns"
)

// acmeDNS is a server that holds such records and nothing else, to which a CNAME of the domain leads. lego's own provider registers an account at
// it and keeps that in a file, which several gateways do not share: here it is one that exists.
type acmeDNS struct {
	client  *goacmedns.Client
	account goacmedns.Account
}

func newAcmeDNS(c credentials) (challenge.Provider, error) {
	base, err := c.url("ACME_DNS_API_BASE")
	if err != nil {
		return nil, err
	}
	client, err := goacmedns.NewClient(base.String())
	if err != nil {
		return nil, err
	}
	account := goacmedns.Account{Username: c["ACME_DNS_USERNAME"], Password: c["ACME_DNS_PASSWORD"], SubDomain: c["ACME_DNS_SUBDOMAIN"]}
	return &acmeDNS{client, account}, nil
}

// Present sets the record.
func (a *acmeDNS) Present(ctx context.Context, domain, _, keyAuth string) error {
	return a.client.UpdateTXTRecord(ctx, a.account, dns01.GetChallengeInfo(ctx, domain, keyAuth).Value)
}

// CleanUp has nothing to do: the server keeps the two latest values.
func (a *acmeDNS) CleanUp(context.Context, string, string, string) error { return nil }
