package gateway

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
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

//go:embed page.js
var scriptSource string

// liveScript is the one script that a page may run.
var liveScript = template.JS(scriptSource) //nolint:gosec // it is no visitor's

// contentPolicy lets nothing load but the page's own style and script, whatever a failure's text holds.
var contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + digest(scriptSource) +
	"'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

var page = template.Must(template.New("page").Parse(pageSource))

// pageData is what page.html shows.
type pageData struct {
	Title, Detail, Fix, Code, Hostname, RequestID string
	Refresh                                       int
	Progress                                      *progress   // nil but for a deploy under way
	Script                                        template.JS // likewise; it follows that
	Route                                         *deployment.Route
	Failure                                       *deployment.Failure
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
func (g *Gateway) render(w http.ResponseWriter, r *http.Request, v *visit, a answer) {
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
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set(requestIDHeader, v.requestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if a.refresh > 0 {
		h.Set("Retry-After", strconv.Itoa(a.refresh))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a client that went away is no news; for HEAD net/http drops the body
}

func (g *Gateway) html(v *visit, a answer) []byte {
	data := pageData{
		Title: a.title, Detail: a.detail, Fix: a.fix, Code: a.code, Hostname: v.hostname, RequestID: v.requestID,
		Refresh: a.refresh, Route: a.route, Failure: a.failure,
	}
	if a.failure != nil && a.failure.Fix != "" {
		data.Fix = ""
	}
	if a.code == notReady {
		now := progressOf(*a.route)
		data.Progress, data.Script = &now, liveScript
	}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil { // only a fault in page.html can be the reason
		g.log.Error("cannot render page", "code", a.code, "error", err)
		return []byte(template.HTMLEscapeString(a.title))
	}
	return out.Bytes()
}

func (g *Gateway) json(v *visit, a answer) []byte {
	p := problem{
		Type: "about:blank", Title: a.title, Status: a.status, Detail: a.detail, Code: a.code, Fix: a.fix, RequestID: v.requestID, Failure: a.failure,
	}
	if a.failure != nil {
		p.Detail, p.Fix = a.failure.Message, cmp.Or(a.failure.Fix, a.fix)
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

// wantsHTML reports whether a client asks for HTML by name, as browsers do; "*/*" alone is an API client.
func wantsHTML(r *http.Request) bool { return accepts(r, "text/html") }

// accepts reports whether a client asks for a type by name.
func accepts(r *http.Request, wanted string) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			kind, parameters, err := mime.ParseMediaType(part)
			if err == nil && kind == wanted && !refused(parameters["q"]) {
				return true
			}
		}
	}
	return false
}

// refused reports whether a quality value says "not this": 0, 0.0 and so on.
func refused(q string) bool { return q != "" && strings.Trim(q, "0.") == "" }
