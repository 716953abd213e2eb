package dnsproof

import (
	"cmp"
	"errors"
	"net/url"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/providers/dns/cloudflare"
	"github.com/go-acme/lego/v5/providers/dns/digitalocean"
	"github.com/go-acme/lego/v5/providers/dns/gandiv5"
	"github.com/go-acme/lego/v5/providers/dns/hetzner"
	"github.com/go-acme/lego/v5/providers/dns/httpreq"
	"github.com/go-acme/lego/v5/providers/dns/ovh"
	"github.com/go-acme/lego/v5/providers/dns/porkbun"
)

// credentials are what a provider asks for, by the names that lego gives them.
type credentials map[string]string

// url returns one that is a URL. No error shows it: it may hold a password.
func (c credentials) url(name string) (*url.URL, error) {
	u, err := url.Parse(c[name])
	if err != nil || u.Host == "" {
		return nil, errors.New(name + " is no URL")
	}
	return u, nil
}

// providers make the providers that there are. lego could read all of it from the environment, where a secret is seen by more than it is for.
var providers = map[string]func(credentials) (challenge.Provider, error){
	"acme-dns": newAcmeDNS,
	"exec":     newProgram,
	"rfc2136":  newRFC2136,
	"cloudflare": func(c credentials) (challenge.Provider, error) {
		p := cloudflare.NewDefaultConfig()
		p.AuthToken, p.ZoneToken = c["CF_DNS_API_TOKEN"], cmp.Or(c["CF_ZONE_API_TOKEN"], c["CF_DNS_API_TOKEN"])
		return cloudflare.NewDNSProviderConfig(p)
	},
	"digitalocean": func(c credentials) (challenge.Provider, error) {
		p := digitalocean.NewDefaultConfig()
		p.AuthToken = c["DO_AUTH_TOKEN"]
		return digitalocean.NewDNSProviderConfig(p)
	},
	"gandi": func(c credentials) (challenge.Provider, error) {
		p := gandiv5.NewDefaultConfig()
		p.PersonalAccessToken = c["GANDIV5_PERSONAL_ACCESS_TOKEN"]
		return gandiv5.NewDNSProviderConfig(p)
	},
	"hetzner": func(c credentials) (challenge.Provider, error) {
		p := hetzner.NewDefaultConfig()
		p.APIToken = c["HETZNER_API_TOKEN"]
		return hetzner.NewDNSProviderConfig(p)
	},
	"httpreq": func(c credentials) (challenge.Provider, error) {
		p := httpreq.NewDefaultConfig()
		var err error
		if p.Endpoint, err = c.url("HTTPREQ_ENDPOINT"); err != nil {
			return nil, err
		}
		p.Mode, p.Username, p.Password = c["HTTPREQ_MODE"], c["HTTPREQ_USERNAME"], c["HTTPREQ_PASSWORD"]
		return httpreq.NewDNSProviderConfig(p)
	},
	"ovh": func(c credentials) (challenge.Provider, error) {
		p := ovh.NewDefaultConfig()
		p.APIEndpoint = cmp.Or(c["OVH_ENDPOINT"], "ovh-eu")
		p.ApplicationKey, p.ApplicationSecret, p.ConsumerKey = c["OVH_APPLICATION_KEY"], c["OVH_APPLICATION_SECRET"], c["OVH_CONSUMER_KEY"]
		return ovh.NewDNSProviderConfig(p)
	},
	"porkbun": func(c credentials) (challenge.Provider, error) {
		p := porkbun.NewDefaultConfig()
		p.APIKey, p.SecretAPIKey = c["PORKBUN_API_KEY"], c["PORKBUN_SECRET_API_KEY"]
		return porkbun.NewDNSProviderConfig(p)
	},
}
