package e2e_test

import (
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"sync"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP collector that keeps what it is sent.
type collector struct {
	url string

	mu    sync.Mutex
	spans []*tracepb.Span
}

var traces *collector

func startCollector() (*collector, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &collector{url: "http://" + l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.export)
	go func() { _ = http.Serve(l, mux) }() // until the process ends
	return c, nil
}

func (c *collector) export(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collectorpb.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// of returns the spans of the trace in which a span of the name has the attribute with the value; none when there is no such trace.
func (c *collector) of(name, attribute, value string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var trace string
	for _, s := range c.spans {
		for _, a := range s.GetAttributes() {
			if s.GetName() == name && a.GetKey() == attribute && a.GetValue().GetStringValue() == value {
				trace = hex.EncodeToString(s.GetTraceId())
			}
		}
	}
	var found []*tracepb.Span
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == trace {
			found = append(found, s)
		}
	}
	return found
}
