package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/net/idna"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// ListDomains serves GET /v1/environments/{id}/domains.
func (s *server) ListDomains(c *gin.Context, id string, params oapi.ListDomainsParams) {
	e, err := s.Store.EnvironmentByID(c.Request.Context(), id)
	if err != nil {
		s.fail(c, named(err, "id", "environment", id))
		return
	}
	items, next, err := s.Store.Domains(c.Request.Context(), e.ID, pageOf(params.Limit, params.Cursor))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, oapi.DomainList{Items: list(items, s.wireDomain), NextCursor: optional(next)})
}

// AddDomain serves POST /v1/environments/{id}/domains.
func (s *server) AddDomain(c *gin.Context, id string) {
	var body oapi.DomainCreate
	if err := decodeBody(c, &body); err != nil {
		s.fail(c, err)
		return
	}
	name := asciiDomain(body.Name)
	if err := fieldProblem(deployment.ValidateDomainName(name, s.URLs.Domain)); err != nil {
		s.fail(c, err)
		return
	}
	d, created, err := s.Store.AddDomain(c.Request.Context(), id, name, rand.Text())
	if err != nil {
		s.fail(c, named(err, "id", "environment", id))
		return
	}
	if !created {
		c.JSON(http.StatusOK, s.wireDomain(d))
		return
	}
	c.Header("Location", "/v1/environments/"+id+"/domains/"+url.PathEscape(d.Name))
	c.JSON(http.StatusCreated, s.wireDomain(d))
}

// DeleteDomain serves DELETE /v1/environments/{id}/domains/{name}.
func (s *server) DeleteDomain(c *gin.Context, id, name string) {
	if err := s.Store.DeleteDomain(c.Request.Context(), id, asciiDomain(name)); err != nil {
		s.fail(c, named(err, "name", "domain of this environment", name))
		return
	}
	c.Status(http.StatusNoContent)
}

// VerifyDomain serves POST /v1/environments/{id}/domains/{name}/verify.
func (s *server) VerifyDomain(c *gin.Context, id, name string) {
	d, err := s.Store.Domain(c.Request.Context(), id, asciiDomain(name))
	if err == nil && d.VerifiedAt == nil {
		d, err = s.verify(c.Request.Context(), d)
	}
	if err != nil {
		s.fail(c, named(err, "name", "domain of this environment", name))
		return
	}
	c.JSON(http.StatusOK, s.wireDomain(d))
}

// verify looks for the domain's record in DNS, and notes what came of it.
func (s *server) verify(ctx context.Context, d deployment.Domain) (deployment.Domain, error) {
	record := deployment.ChallengeName(d.Name)
	values, err := s.DNS.TXT(ctx, record)
	var why string
	switch {
	case err != nil:
		why = err.Error()
	case slices.Contains(values, d.Token):
		return s.Store.VerifyDomain(ctx, d)
	case len(values) == 0:
		why = record + " has no TXT record"
	default:
		why = fmt.Sprintf("%s has %d TXT records, none of which is the domain's: the first is %.80q", record, len(values), values[0])
	}
	if err := s.Store.DomainNotShown(ctx, d.EnvironmentID, d.Name, why); err != nil {
		return d, err
	}
	return d, &problemError{
		status: http.StatusConflict, code: "domain_not_verified", detail: why, field: "name",
		fix: fmt.Sprintf("make the TXT record %s with the value %s, and verify again; a DNS server may keep an older answer for a while", record, d.Token),
	}
}

// asciiDomain returns a domain's name as DNS has it. One that IDNA does not take stays as it is, and is refused for what it is.
func asciiDomain(name string) string {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return name
	}
	return ascii
}

func (s *server) wireDomain(d deployment.Domain) oapi.Domain {
	return oapi.Domain{
		Name: d.Name, EnvironmentID: d.EnvironmentID, URL: s.URLs.Gateway.URL(d.Name), CreatedAt: d.CreatedAt.UTC(),
		VerifiedAt: utc(d.VerifiedAt), CheckedAt: utc(d.CheckedAt), CheckError: optional(d.CheckError),
		Records: []oapi.DNSRecord{
			{Purpose: oapi.DNSPurposeVerify, Type: "TXT", Name: deployment.ChallengeName(d.Name), Value: d.Token},
			{
				Purpose: oapi.DNSPurposeRoute, Type: "CNAME", Name: d.Name, Value: d.EnvironmentHost,
				Note: new("where a CNAME may not stand, as at the top of a zone: A and AAAA records with the gateway's addresses"),
			},
		},
	}
}
