package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// contractProblem says in words what the validator found. No message holds a value of the request: it may be a secret.
func contractProblem(err error, route *routers.Route) error {
	var requests []*openapi3filter.RequestError
	collect(err, &requests)
	for _, r := range requests { // parameters first: the body may be read differently once they are right
		if r.Parameter != nil {
			return invalidParameter(r)
		}
	}
	if len(requests) == 0 {
		return fmt.Errorf("validate %s %s: %w", route.Method, route.Path, err)
	}
	return invalidBody(requests[0])
}

func invalidParameter(r *openapi3filter.RequestError) error {
	schema := r.Parameter.Schema.Value
	fix := asSentence(r.Parameter.Description)
	var schemas []*openapi3.SchemaError
	var unreadable *openapi3filter.ParseError
	switch collect(r.Err, &schemas); {
	case len(schemas) > 0:
		return parameterProblem(r.Parameter.Name, faultOf(schemas[0]), fix)
	case errors.As(r.Err, &unreadable):
		return parameterProblem(r.Parameter.Name, "is not "+article(schema), fix)
	default:
		return parameterProblem(r.Parameter.Name, "is empty", fix)
	}
}

func invalidBody(r *openapi3filter.RequestError) error {
	var schemas []*openapi3.SchemaError
	var unreadable *openapi3filter.ParseError
	switch collect(r.Err, &schemas); {
	case r.Err == nil:
		return &problemError{
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type", detail: "the body is not declared as JSON",
			field: "Content-Type", fix: "send the header Content-Type: application/json",
		}
	case errors.As(r.Err, &unreadable):
		return bodyProblem("the body is not JSON: " + rootCause(unreadable))
	case len(schemas) == 0:
		return bodyProblem("the body is empty")
	}
	faults := make([]*deployment.FieldError, 0, len(schemas))
	for _, s := range schemas {
		f := fault(fieldOf(s), faultOf(s), fixOf(s))
		if !slices.ContainsFunc(faults, func(known *deployment.FieldError) bool { return known.Field == f.Field }) {
			faults = append(faults, f)
		}
	}
	return fieldProblem(faults...)
}

// collect walks nested errors and keeps those of type T. errors.As would find the first alone.
func collect[T error](err error, found *[]T) {
	if multi, ok := err.(openapi3.MultiError); ok { //nolint:errorlint // each level is looked at by itself
		for _, e := range multi {
			collect(e, found)
		}
		return
	}
	if one, ok := errors.AsType[T](err); ok {
		*found = append(*found, one)
	}
}

func rootCause(e *openapi3filter.ParseError) string {
	if cause := e.RootCause(); cause != nil {
		return cause.Error()
	}
	return e.Reason
}

// unknownProperty returns the name of a property that the schema does not have.
func unknownProperty(e *openapi3.SchemaError) (name string, unknown bool) {
	if e.SchemaField != "properties" {
		return "", false
	}
	quoted, found := strings.CutPrefix(strings.TrimSuffix(e.Reason, " is unsupported"), "property ")
	name, err := strconv.Unquote(quoted)
	return name, found && err == nil
}

func fieldOf(e *openapi3.SchemaError) string {
	parts := e.JSONPointer()
	if name, unknown := unknownProperty(e); unknown {
		parts = append(parts, name)
	}
	if len(parts) == 0 {
		return "body"
	}
	return fieldPath(parts)
}

func faultOf(e *openapi3.SchemaError) string {
	if _, unknown := unknownProperty(e); unknown {
		return "is not a field of this request"
	}
	switch e.SchemaField {
	case "required":
		return "is missing"
	case "type":
		return "is not " + article(e.Schema)
	case "nullable":
		return "is null"
	case "maxLength":
		return fmt.Sprintf("has more than %d characters", *e.Schema.MaxLength)
	case "minLength":
		return fmt.Sprintf("has fewer than %d characters", e.Schema.MinLength)
	case "enum":
		return "is none of the values that are allowed"
	case "pattern":
		return "has the wrong form"
	case "minProperties":
		return "holds no field"
	default:
		return e.Reason // bounds of numbers and lists, which name the bound
	}
}

func fixOf(e *openapi3.SchemaError) string {
	if _, unknown := unknownProperty(e); unknown || e.SchemaField == "minProperties" {
		return "the fields are " + strings.Join(slices.Sorted(maps.Keys(e.Schema.Properties)), ", ")
	}
	schema := e.Schema
	if e.SchemaField == "required" {
		pointer := e.JSONPointer()
		if property := schema.Properties[pointer[len(pointer)-1]]; property != nil {
			schema = property.Value
		}
	}
	return asSentence(schema.Description)
}

func asSentence(description string) string {
	return strings.TrimSuffix(strings.TrimSpace(description), ".")
}

func article(schema *openapi3.Schema) string {
	switch {
	case schema.Type.Is(openapi3.TypeInteger):
		return "an integer"
	case schema.Type.Is(openapi3.TypeNumber):
		return "a number"
	case schema.Type.Is(openapi3.TypeBoolean):
		return "true or false"
	case schema.Type.Is(openapi3.TypeArray):
		return "a list"
	case schema.Type.Is(openapi3.TypeObject):
		return "an object"
	default:
		return "a string"
	}
}

func fault(field, what, fix string) *deployment.FieldError {
	return &deployment.FieldError{Field: field, Fault: what, Fix: fix}
}
