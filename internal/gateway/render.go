package gateway

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/slipway-dev/slipway/internal/deployment"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// pageData is what page.html shows.
type pageData struct {
	Title, Detail, Code, Hostname, RequestID string
	Refresh                                  int
	Steps                                    []pageStep
	Route                                    *deployment.Route
	Failure                                  *deployment.Failure
}

type pageStep struct {
	Name, State string // State: done, now or next
}

// problem is an RFC 9457 document with slipway's additions.
type problem struct {
	Type         string              `json:"type"`
	Title        string              `json:"title"`
	Status       int                 `json:"status"`
	Detail       string              `json:"detail"`
	Code         string              `json:"code"`
	Fix          string              `json:"fix,omitempty"`
	RequestID    string              `json:"request_id"`
	DeploymentID string              `json:"deployment,omitempty"`
	Number       int                 `json:"number,omitempty"`
	Project      string              `json:"project,omitempty"`
	Environment  string              `json:"environment,omitempty"`
	State        deployment.Status   `json:"deployment_status,omitempty"`
	Step         deployment.StepName `json:"step,omitempty"`
	ReplacedBy   int                 `json:"replaced_by,omitempty"`
	Failure      *deployment.Failure `json:"failure,omitempty"`
}

// render writes an answer in the form that the client reads.
func (g *Gateway) render(w http.ResponseWriter, r *http.Request, v visit, a answer) {
	var body []byte
	h := w.Header()
	if wantsHTML(r) {
		h.Set("Content-Type", "text/html; charset=utf-8")
		body = g.html(v, a)
	} else {
		h.Set("Content-Type", "application/problem+json")
		body = g.json(v, a)
	}
	h.Set("Vary", "Accept")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("X-Content-Type-Options", "nosniff")
	// Nothing but the page's own style may load, whatever a failure's text holds.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set(requestIDHeader, v.requestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if a.refresh > 0 {
		h.Set("Retry-After", strconv.Itoa(a.refresh))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a client that went away is no news; for HEAD net/http drops the body
}

func (g *Gateway) html(v visit, a answer) []byte {
	data := pageData{
		Title: a.title, Detail: a.detail, Code: a.code, Hostname: v.hostname, RequestID: v.requestID,
		Refresh: a.refresh, Route: a.route, Failure: a.failure,
	}
	if a.code == "gateway.not_ready" {
		data.Steps = pageSteps(a.route.Status)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil { // only a fault in page.html can be the reason
		g.log.Error("cannot render page", "code", a.code, "error", err)
		return []byte(template.HTMLEscapeString(a.title))
	}
	return out.Bytes()
}

func (g *Gateway) json(v visit, a answer) []byte {
	p := problem{
		Type: "about:blank", Title: a.title, Status: a.status, Detail: a.detail, Code: a.code, RequestID: v.requestID, Failure: a.failure,
	}
	if a.failure != nil {
		p.Detail, p.Fix = a.failure.Message, a.failure.Fix
	}
	if r := a.route; r != nil {
		p.DeploymentID, p.Number, p.Project, p.Environment = r.DeploymentID, r.DeploymentNumber, r.Project, r.Environment
		p.State, p.Step, p.ReplacedBy = r.Status, step(r.Status), r.ReplacedBy
	}
	body, err := json.Marshal(p)
	if err != nil { // only a fault in problem's fields can be the reason
		g.log.Error("cannot encode problem", "code", a.code, "error", err)
		return []byte(`{"type":"about:blank"}`)
	}
	return append(body, '\n')
}

func pageSteps(s deployment.Status) []pageStep {
	now := step(s).Number()
	if s == deployment.StatusReady {
		now = deployment.StepRelease.Number()
	}
	var all []pageStep
	for _, name := range deployment.Steps() {
		state := "next"
		if name.Number() < now {
			state = "done"
		} else if name.Number() == now {
			state = "now"
		}
		all = append(all, pageStep{Name: string(name), State: state})
	}
	return all
}

// wantsHTML reports whether a client asks for HTML by name, as browsers do; "*/*" alone is an API client.
func wantsHTML(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			kind, parameters, err := mime.ParseMediaType(part)
			if err == nil && kind == "text/html" && !refused(parameters["q"]) {
				return true
			}
		}
	}
	return false
}

// refused reports whether a quality value says "not this": 0, 0.0 and so on.
func refused(q string) bool { return q != "" && strings.Trim(q, "0.") == "" }
