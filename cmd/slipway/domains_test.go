package main

import (
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

func domainOf(name string) oapi.Domain {
	return oapi.Domain{
		Name: name, EnvironmentID: envID, URL: "https://" + name, CreatedAt: noon,
		Records: []oapi.DNSRecord{
			{Purpose: oapi.DNSPurposeVerify, Type: "TXT", Name: "_slipway-challenge." + name, Value: "TOKEN"},
			{Purpose: oapi.DNSPurposeRoute, Type: "CNAME", Name: name, Value: "shop.localhost", Note: new("or an A record")},
		},
	}
}

func (f *fakeAPI) AddDomain(c *gin.Context, _ oapi.EnvironmentPath) {
	var body oapi.DomainCreate
	require.NoError(f.t, c.BindJSON(&body))
	f.domains = append(f.domains, domainOf(body.Name))
	c.JSON(201, f.domains[len(f.domains)-1])
}

func (f *fakeAPI) ListDomains(c *gin.Context, _ oapi.EnvironmentPath, params oapi.ListDomainsParams) {
	from, to, next := f.page(len(f.domains), params.Limit, params.Cursor)
	c.JSON(200, oapi.DomainList{Items: append([]oapi.Domain{}, f.domains[from:to]...), NextCursor: next})
}

func (f *fakeAPI) VerifyDomain(c *gin.Context, _ oapi.EnvironmentPath, _ oapi.DomainPath) {
	f.domains[0].VerifiedAt = &noon
	c.JSON(200, f.domains[0])
}

func (f *fakeAPI) DeleteDomain(c *gin.Context, _ oapi.EnvironmentPath, _ oapi.DomainPath) {
	c.Status(204)
}

func TestDomainCommands(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	api.environments = []oapi.Environment{environmentOf("production", 3)}
	code, stdout, stderr := user(t, api).run("domains", "list", "-p", "shop")
	require.Zero(t, code, stderr)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "production of shop has no domains")

	code, stdout, stderr = user(t, api).run("domains", "add", "shop.example.com", "-p", "shop")
	require.Zero(t, code, stderr)
	require.Equal(t, "make these records in DNS, then run `slipway domains verify shop.example.com -p shop -e production`\n"+
		"FOR     TYPE   NAME                                 VALUE\n"+
		"verify  TXT    _slipway-challenge.shop.example.com  TOKEN\n"+
		"route   CNAME  shop.example.com                     shop.localhost\n", stdout)
	require.Equal(t, "CNAME shop.example.com: or an A record\n", stderr)
	require.Contains(t, api.requests(), "POST /v1/environments/"+envID+`/domains {"name":"shop.example.com"}`)

	checked := noon.Add(-time.Minute)
	api.domains[0].CheckedAt, api.domains[0].CheckError = &checked, new("no record")
	api.domains, api.pageLimit = append(api.domains, domainOf("www.example.com")), 1
	code, stdout, stderr = user(t, api).run("domains", "list")
	require.Zero(t, code, stderr)
	require.Equal(t, `DOMAIN            STATE           CHECKED    WHY
shop.example.com  to be verified  1m00s ago  no record
www.example.com   to be verified  -          -
`, stdout)

	code, stdout, stderr = user(t, api).run("domains", "verify", "shop.example.com", "-e", "production")
	require.Zero(t, code, stderr)
	require.Equal(t, "https://shop.example.com leads to production of shop\n", stdout)
	code, _, stderr = user(t, api).run("domains", "remove", "shop.example.com")
	require.Zero(t, code, stderr)
	require.Equal(t, "shop.example.com leads to production of shop no more\n", stderr)
	require.Contains(t, api.requests(), "DELETE /v1/environments/"+envID+"/domains/shop.example.com")
}
