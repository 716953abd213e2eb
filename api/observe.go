package api

import (
	"mime"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// trace makes a span of the request, below the caller's where a traceparent header names one. What the handler starts, a
// workflow above all, belongs to the same trace.
func (s *server) trace(c *gin.Context) {
	if isWatch(c) {
		return
	}
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	ctx, span := s.Tracer.Start(ctx, c.Request.Method+" "+c.FullPath(), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	status := c.Writer.Status()
	span.SetAttributes(attribute.String("http.route", c.FullPath()), attribute.Int("http.response.status_code", status))
	if id := deployment.IDFrom(c.Request.Context()); id != "" {
		span.SetAttributes(attribute.String("slipway.deployment", id))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// count tells how long the answer took. A stream lasts as long as its reader likes, which says nothing.
func (s *server) count(c *gin.Context, took time.Duration) {
	if media, _, _ := mime.ParseMediaType(c.Writer.Header().Get("Content-Type")); s.Answered == nil || media == "text/event-stream" {
		return
	}
	s.Answered(c.Request.Method, c.FullPath(), c.Writer.Status(), took)
}

// isWatch reports whether the request is one of those that come every few seconds from whatever watches the process.
func isWatch(c *gin.Context) bool { return c.FullPath() == "/healthz" || c.FullPath() == "/readyz" }

// about notes which deployment the request is about, for its log lines and its trace. What is no id stays in the path.
func about(c *gin.Context, deploymentID string) {
	if !idShape.MatchString(deploymentID) {
		return
	}
	c.Request = c.Request.WithContext(deployment.WithID(c.Request.Context(), deploymentID))
}
