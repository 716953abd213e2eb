package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/domains"
	"github.com/slipway-dev/slipway/internal/domains/domainstest"
)

// newDomainWorld is a world that asks a DNS server of its own.
func newDomainWorld(t *testing.T) (*world, *domainstest.Server) {
	t.Helper()
	dns := domainstest.New(t)
	return newWorld(t, func(o *api.Options) { o.DNS = domains.NewResolver([]string{dns.Addr}) }), dns
}

func (w *world) addDomain(environment, name string, status int) (d oapi.Domain) {
	w.t.Helper()
	a := w.call("POST", "/v1/environments/"+environment+"/domains", `{"name":"`+name+`"}`)
	require.Equal(w.t, status, a.status, "%s", a.body)
	a.into(&d)
	return d
}

func TestDomains(t *testing.T) {
	t.Parallel()
	w, dns := newDomainWorld(t)
	w.project("shop")
	env := w.deploy("shop", `{}`).Environment.ID
	path := "/v1/environments/" + env + "/domains"
	d := w.addDomain(env, "Shop.Example.com.", http.StatusCreated)
	require.Equal(t, "shop.example.com", d.Name)
	require.Equal(t, "http://shop.example.com:8000", d.URL)
	require.Nil(t, d.VerifiedAt)
	require.Equal(t, []oapi.DNSRecord{
		{Purpose: oapi.DNSPurposeVerify, Type: "TXT", Name: "_slipway-challenge.shop.example.com", Value: d.Records[0].Value},
		{Purpose: oapi.DNSPurposeRoute, Type: "CNAME", Name: "shop.example.com", Value: "shop.localhost", Note: d.Records[1].Note},
	}, d.Records)
	require.Greater(t, len(d.Records[0].Value), 20)
	require.Equal(t, d, w.addDomain(env, "shop.example.com", http.StatusOK), "an answer that was lost is asked for again")

	not := w.call("POST", path+"/shop.example.com/verify", "").problem(409)
	require.Equal(t, "domain_not_verified", not.Code)
	require.Equal(t, "_slipway-challenge.shop.example.com has no TXT record", not.Detail)
	require.Contains(t, *not.Fix, d.Records[0].Value)
	dns.TXT("_slipway-challenge.shop.example.com", "other")
	require.Contains(t, w.call("POST", path+"/shop.example.com/verify", "").problem(409).Detail, `the first is "other"`)
	dns.Break(true)
	require.Contains(t, w.call("POST", path+"/shop.example.com/verify", "").problem(409).Detail, "server misbehaving")
	dns.Break(false)
	var found oapi.DomainList
	w.call("GET", path, "").into(&found)
	require.Contains(t, *found.Items[0].CheckError, "server misbehaving")
	require.NotNil(t, found.Items[0].CheckedAt)

	dns.TXT("_slipway-challenge.shop.example.com", "other", d.Records[0].Value)
	w.call("POST", path+"/shop.example.com/verify", "").into(&d)
	require.NotNil(t, d.VerifiedAt)
	require.Nil(t, d.CheckError)
	asked := len(dns.Asked())
	dns.TXT("_slipway-challenge.shop.example.com")
	w.call("POST", path+"/SHOP.example.com/verify", "").into(&d)
	require.NotNil(t, d.VerifiedAt, "for good")
	require.Len(t, dns.Asked(), asked)

	require.Equal(t, http.StatusNoContent, w.call("DELETE", path+"/shop.example.com", "").status)
	require.Equal(t, "not_found", w.call("DELETE", path+"/shop.example.com", "").problem(404).Code)
	require.Equal(t, "not_found", w.call("POST", path+"/shop.example.com/verify", "").problem(404).Code)
	w.call("GET", path, "").into(&found)
	require.Empty(t, found.Items)
}

func TestDomains_OfAnother(t *testing.T) {
	t.Parallel()
	w, dns := newDomainWorld(t)
	w.project("mine")
	w.project("theirs")
	mine, theirs := w.deploy("mine", `{}`).Environment.ID, w.deploy("theirs", `{}`).Environment.ID
	asked, d := w.addDomain(mine, "shop.example.com", 201), w.addDomain(theirs, "shop.example.com", 201)
	dns.TXT("_slipway-challenge.shop.example.com", asked.Records[0].Value, d.Records[0].Value)
	require.Equal(t, http.StatusOK, w.call("POST", "/v1/environments/"+theirs+"/domains/shop.example.com/verify", "").status)
	require.Equal(t, "domain_taken", w.call("POST", "/v1/environments/"+mine+"/domains/shop.example.com/verify", "").problem(409).Code)
	w.project("third")
	third := w.deploy("third", `{}`).Environment.ID
	require.Equal(t, "domain_taken", w.call("POST", "/v1/environments/"+third+"/domains", `{"name":"shop.example.com"}`).problem(409).Code)
}

func TestDomains_Names(t *testing.T) {
	t.Parallel()
	w, _ := newDomainWorld(t)
	w.project("shop")
	env := w.deploy("shop", `{}`).Environment.ID
	require.Equal(t, "xn--mnchen-3ya.example", w.addDomain(env, "MÜNCHEN.example", 201).Name)
	require.Equal(t, http.StatusNoContent, w.call("DELETE", "/v1/environments/"+env+"/domains/m%C3%BCnchen.example", "").status)
	for _, name := range []string{"shop", "*.example.com", "10.0.0.1", "shop.localhost", "localhost", "https://shop.example.com", "sh op.example.com", "a..b"} {
		p := w.call("POST", "/v1/environments/"+env+"/domains", `{"name":"`+name+`"}`).problem(422)
		require.Equal(t, "name", *p.Field, name)
		require.NotEmpty(t, *p.Fix, name)
	}
	for _, e := range []string{"0193a5c2-0000-7000-8000-00000000dead", "x"} {
		p := w.call("POST", "/v1/environments/"+e+"/domains", `{"name":"shop.example.com"}`)
		require.Contains(t, []int{400, 404}, p.status)
		require.Contains(t, []int{400, 404}, w.call("GET", "/v1/environments/"+e+"/domains", "").status)
	}
}
