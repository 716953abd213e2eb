package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
)

// MaxBodyBytes is the largest request body that is read.
const MaxBodyBytes = 1 << 20

// routes finds the operation of a request by its method and gin's path: gin alone routes, so that the two can't differ.
type routes map[string]*routers.Route

func routesOf(spec *openapi3.T) routes {
	found := routes{}
	for path, item := range spec.Paths.Map() {
		ginPath := strings.NewReplacer("{", ":", "}", "").Replace(path)
		for method, operation := range item.Operations() {
			found[method+" "+ginPath] = &routers.Route{
				Spec: spec, Path: path, PathItem: item, Method: method, Operation: operation,
			}
		}
	}
	return found
}

// validate refuses what the contract does not allow. A handler behind it decodes its body without looking twice.
func (s *server) validate(c *gin.Context) {
	route := s.routes[c.Request.Method+" "+c.FullPath()]
	if route == nil {
		return // gin answers 404 or 405
	}
	if err := bufferBody(c); err != nil {
		s.fail(c, err)
		return
	}
	if err := checkParameters(c, route); err != nil {
		s.fail(c, err)
		return
	}
	params := make(map[string]string, len(c.Params))
	for _, p := range c.Params {
		params[p.Key] = p.Value
	}
	err := openapi3filter.ValidateRequest(c.Request.Context(), &openapi3filter.RequestValidationInput{
		Request: c.Request, PathParams: params, Route: route, QueryParams: c.Request.URL.Query(),
		Options: &openapi3filter.Options{
			MultiError:          true,
			SkipSettingDefaults: true, // absent and default differ in a PATCH
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc,
		},
	})
	if err != nil {
		s.fail(c, contractProblem(err, route))
	}
}

// bufferBody reads the whole body within the limit and keeps it, so that what follows can read it any number of times.
func bufferBody(c *gin.Context) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &problemError{
			status: http.StatusRequestEntityTooLarge, code: "body_too_large", field: "body",
			detail: "the body has more than 1 MiB", fix: "send less; large files belong into the repository",
		}
	case err != nil:
		return bodyProblem("the body ends early: " + err.Error())
	}
	c.Set(keyBody, body)
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	c.Request.ContentLength = int64(len(body))
	return nil
}

// checkParameters refuses what the contract's schemas cannot: text that no store can hold, a parameter given twice, and
// one that the operation does not have, since a filter with a slip in its name would silently widen the answer.
func checkParameters(c *gin.Context, route *routers.Route) error {
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return parameterProblem("query", "the query cannot be read: "+err.Error(), "percent-encode the values")
	}
	for name, values := range query {
		switch {
		case !takesQuery(route, name):
			return parameterProblem(name, "the request does not take this parameter", "leave it out")
		case len(values) > 1:
			return parameterProblem(name, "is given more than once", "give it once")
		case !isText(values[0]):
			return parameterProblem(name, "is not printable UTF-8", "")
		}
	}
	for _, p := range c.Params {
		if !isText(p.Value) {
			return parameterProblem(p.Key, "is not printable UTF-8", "")
		}
	}
	return nil
}

func takesQuery(route *routers.Route, name string) bool {
	return route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// decodeBody reads the validated body into v, which may hold values already: those of absent fields stay. An empty body
// leaves v as it is.
func decodeBody(c *gin.Context, v any) error {
	body, _ := c.Get(keyBody)
	data, _ := body.([]byte)
	if len(data) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(v)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType): // the schema takes 30.0 for an integer
		return fieldProblem(fault(wrongType.Field, "does not fit "+wrongType.Type.String(), "give a plain number without a fraction"))
	case err != nil:
		return bodyProblem(err.Error())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return bodyProblem("something follows the JSON value")
	}
	return nil
}

func bodyProblem(detail string) *problemError {
	return &problemError{
		status: http.StatusBadRequest, code: "malformed_json", detail: detail, field: "body", fix: "send one JSON object",
	}
}

// fieldPath writes a JSON pointer's parts as people do: vars[1].name.
func fieldPath(parts []string) string {
	var path strings.Builder
	for _, part := range parts {
		if _, err := strconv.Atoi(part); err == nil {
			path.WriteString("[" + part + "]")
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(part)
	}
	return path.String()
}
